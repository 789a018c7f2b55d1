import { readFileSync } from 'node:fs'
import { runTolkCompiler } from '@ton/tolk-js'
import { findUp } from '../find-up.ts'

/** One way to get the contract wrong. */
export interface Mutant {
  name: string
  /** What would happen with real money. */
  breaks: string
  /** Text of `contracts/channel.tolk` that stands there exactly once. */
  find: string
  replace: string
  /** Why nothing that anybody can observe differs, if so. Then it must compile and no test may fail. */
  equivalent?: string
}

const ENTRY = 'channel.tolk'

/** The contract's source. */
export function readSource(): string {
  return readFileSync(findUp(`contracts/${ENTRY}`), 'utf8')
}

/** How often the text that a mutant changes stands in the source: it has to be once. */
export function countFinds(source: string, mutant: Mutant): number {
  return source.split(mutant.find).length - 1
}

/** The source with the mutant's change. */
export function mutate(source: string, mutant: Mutant): string {
  // A function, so that nothing in the text is taken for a pattern.
  return source.replace(mutant.find, () => mutant.replace)
}

/**
 * Compiles a contract.
 *
 * @returns its code as a bag of cells in base64, and the hash of the code in hex
 * @throws {Error} what the compiler says if it does not compile
 */
export async function compile(source: string): Promise<{ code: string; hash: string }> {
  const compiled = await runTolkCompiler({ entrypointFileName: ENTRY, fsReadCallback: () => source })
  if (compiled.status === 'error') {
    throw new Error(compiled.message)
  }
  return { code: compiled.codeBoc64, hash: compiled.codeHashHex.toLowerCase() }
}
