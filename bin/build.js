// Compiles the wire messages and the TypeScript sources. Plain JavaScript: it runs before anything is built.
//
//   node bin/build.js                         into dist, unless dist is up to date
//   node bin/build.js --outDir <folder> …     into another folder (further arguments go to tsc)
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeBundleManifest } from './bundle-manifest.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const stamp = join(dist, '.build-stamp')
const protos = join(root, 'src/wire')
const generated = join(protos, 'generated')

/** Folders that tsconfig.json compiles. */
const SOURCE_FOLDERS = ['src', 'simnet', 'test', 'contracts']
/** Other files that change what comes out. */
const BUILD_FILES = ['package-lock.json', 'tsconfig.json', 'bin/build.js', 'bin/bundle-manifest.js']
const OUTPUT_SUFFIX = /\.(?:js|js\.map|d\.ts|d\.ts\.map)$/

/** Builds `dist` unless it holds exactly what the present sources give. Returns whether it had to. */
export function buildIfStale() {
  const sources = listSources()
  const hash = hashSources(sources)
  if (readText(stamp) === hash && outputsMatch(dist, sources)) {
    return false
  }
  rmSync(stamp, { force: true })
  build(dist, join(dist, '.tsbuildinfo'))
  // The hash of before the compilation: a source changed meanwhile is built again next time.
  writeFileSync(stamp, hash)
  return true
}

function build(outDir, buildInfo, extra = []) {
  generateMessages()
  const sources = listSources()
  removeStaleOutputs(outDir, sources)
  if (!outputsMatch(outDir, sources)) {
    // tsc believes its build info and would not write a deleted output again.
    rmSync(buildInfo, { force: true })
  }
  try {
    run('typescript/bin/tsc', ['-p', join(root, 'tsconfig.json'), ...extra])
  } finally {
    // The compiler writes its output also where it has complaints.
    writeBundleManifest(join(outDir, 'src'), join(root, 'package-lock.json'))
  }
}

/**
 * Generates `src/wire/generated/<name>.ts` of every message file whose content has changed, and removes those
 * of deleted message files.
 */
export function generateMessages() {
  mkdirSync(generated, { recursive: true })
  const names = readdirSync(protos)
    .filter(name => name.endsWith('.proto'))
    .map(name => name.slice(0, -'.proto'.length))
  for (const file of readdirSync(generated).filter(
    file => file.endsWith('.ts') && !names.includes(file.slice(0, -3))
  )) {
    rmSync(join(generated, file))
  }
  for (const name of names) {
    generateMessage(join(protos, `${name}.proto`), join(generated, `${name}.ts`))
  }
}

function generateMessage(source, output) {
  // The generator emits namespaces, which `erasableSyntaxOnly` forbids to our own code.
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/protons/package.json'), 'utf8'))
  const header = `// @ts-nocheck\n// Made by protons ${version}, mended, of a message file with SHA-256 ${sha256(readFileSync(source))}\n`
  if (readText(output)?.startsWith(header) === true) {
    return
  }
  const scratch = join(generated, `.tmp-${process.pid}`)
  mkdirSync(scratch, { recursive: true })
  try {
    run('protons/dist/bin/protons.js', [source, '-o', scratch])
    const made = join(scratch, readdirSync(scratch)[0])
    // Its byte fields exclude shared memory, which none of our callers can promise.
    // And protons-runtime 8.0.1 reads a fixed64 from 2^63 on as a negative number.
    const code = readFileSync(made, 'utf8')
      .replaceAll('Uint8Array<ArrayBuffer>', 'Uint8Array')
      .replaceAll('reader.fixed64()', 'BigInt.asUintN(64, reader.fixed64())')
    writeFileSync(made, header + code)
    renameSync(made, output)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Removes the outputs of deleted sources, so that a deleted test does not run. */
function removeStaleOutputs(outDir, sources) {
  const wanted = new Set(sources.map(file => outputName(file)))
  for (const folder of SOURCE_FOLDERS) {
    for (const file of listFiles(join(outDir, folder)).filter(name => OUTPUT_SUFFIX.test(name))) {
      if (!wanted.has(relative(outDir, file).replace(OUTPUT_SUFFIX, '.js'))) {
        rmSync(file)
      }
    }
  }
}

/** Whether every source has its output and every output its source. */
function outputsMatch(outDir, sources) {
  const wanted = sources.map(outputName).sort()
  const found = SOURCE_FOLDERS.flatMap(folder => listFiles(join(outDir, folder)))
    .filter(file => file.endsWith('.js'))
    .map(file => relative(outDir, file))
    .sort()
  return (
    wanted.length === found.length &&
    wanted.every((name, index) => name === found[index]) &&
    existsSync(join(outDir, 'src/enclave/bundle.json'))
  )
}

function outputName(source) {
  return source.replace(/\.ts$/, '.js')
}

/** Sources relative to the root, generated ones included. */
function listSources() {
  return SOURCE_FOLDERS.flatMap(folder => listFiles(join(root, folder)))
    .map(file => relative(root, file))
    .filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .sort()
}

function hashSources(sources) {
  const inputs = sources.filter(file => !file.startsWith('src/wire/generated/'))
  const messages = readdirSync(protos)
    .filter(name => name.endsWith('.proto'))
    .map(name => `src/wire/${name}`)
  const lines = [...inputs, ...messages, ...BUILD_FILES].map(
    file => `${file} ${sha256(readFileSync(join(root, file)))}`
  )
  return sha256(lines.join('\n'))
}

function listFiles(folder) {
  if (!existsSync(folder)) {
    return []
  }
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => !entry.name.startsWith('.'))
    .flatMap(entry => (entry.isDirectory() ? listFiles(join(folder, entry.name)) : [join(folder, entry.name)]))
}

function sha256(content) {
  return createHash('sha256').update(content).digest('hex')
}

function readText(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

function run(bin, args) {
  execFileSync(process.execPath, [join(root, 'node_modules', bin), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: root
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const extra = process.argv.slice(2)
  try {
    if (extra.length === 0) {
      buildIfStale()
    } else {
      const after = (option, fallback) => (extra.includes(option) ? extra[extra.indexOf(option) + 1] : fallback)
      const outDir = resolve(after('--outDir', dist))
      build(outDir, resolve(after('--tsBuildInfoFile', join(outDir, '.tsbuildinfo'))), extra)
    }
  } catch (err) {
    // The compiler has said what is wrong.
    process.exitCode = typeof err.status === 'number' ? err.status : 1
    if (err.status === undefined) {
      throw err
    }
  }
}
