// Compiles the wire messages and the TypeScript sources. Plain JavaScript: it runs before anything is built.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const protos = join(root, 'src/wire')
const generated = join(protos, 'generated')

/** Generates `src/wire/generated/<name>.ts` for every message file that is newer than its output. */
export function generateMessages() {
  mkdirSync(generated, { recursive: true })
  for (const file of readdirSync(protos).filter(name => name.endsWith('.proto'))) {
    const source = join(protos, file)
    const output = join(generated, file.replace('.proto', '.ts'))
    if (modifiedMs(output) > modifiedMs(source)) {
      continue
    }
    run('protons/dist/bin/protons.js', [source, '-o', generated])
    // The generator emits namespaces, which `erasableSyntaxOnly` forbids to our own code.
    // Its byte fields exclude shared memory, which none of our callers can promise.
    const code = readFileSync(output, 'utf8').replaceAll('Uint8Array<ArrayBuffer>', 'Uint8Array')
    writeFileSync(output, `// @ts-nocheck\n${code}`)
  }
}

export function compile(extra = []) {
  run('typescript/bin/tsc', ['-p', join(root, 'tsconfig.json'), ...extra])
}

function run(bin, args) {
  execFileSync(process.execPath, [join(root, 'node_modules', bin), ...args], { stdio: 'inherit', cwd: root })
}

function modifiedMs(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  generateMessages()
  compile(process.argv.slice(2))
}
