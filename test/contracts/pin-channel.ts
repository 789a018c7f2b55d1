import { readFileSync } from 'node:fs'
import { runTolkCompiler } from '@ton/tolk-js'
import { findUp } from './find-up.ts'

/** Where the compiled contract is pinned. */
export const PINNED_FILE = 'src/ton/channel-code.ts'

const LINE_LENGTH = 112

/**
 * Compiles `contracts/channel.tolk`.
 *
 * @throws {Error} with the compiler's words
 */
export async function compileChannel(): Promise<{ hash: string; boc: string }> {
  const source = readFileSync(findUp('contracts/channel.tolk'), 'utf8')
  const compiled = await runTolkCompiler({ entrypointFileName: 'channel.tolk', fsReadCallback: () => source })
  if (compiled.status === 'error') {
    throw new Error(compiled.message)
  }
  return { hash: compiled.codeHashHex.toLowerCase(), boc: compiled.codeBoc64 }
}

/** The source file that pins this code. */
export function pinnedModule({ hash, boc }: { hash: string; boc: string }): string {
  const lines = boc.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? []
  return `// Compiled from contracts/channel.tolk by \`npm run gas -- --pin\`; a contract test compiles it again and compares.

/** Representation hash of the code cell, hex. */
export const CHANNEL_CODE_HASH = '${hash}'

/** The code cell as a base64 bag of cells. */
export const CHANNEL_CODE_BOC =
${lines.map(line => `  '${line}'`).join(' +\n')}
`
}
