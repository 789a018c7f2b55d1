import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { enclaveBundle } from '../../src/enclave/bundle-digest.ts'
import { type ImportEdge, importClosure, importsOf } from './source-tree.ts'

// What stands here is all that the enclave program may be made of. A file that is added to a list widens what a user
// has to trust: say why in the commit.

/** Of areas that hold much else, each file by name; of the others every file. */
const ALLOWED_FILES: Readonly<Record<string, readonly string[] | 'all'>> = {
  attest: [
    'aci-receipt.js',
    'document.js',
    'evidence.js',
    'gpu-nonce.js',
    'nvidia/opaque-data.js',
    'nvidia/report.js',
    'raw-evidence.js',
    'receipt.js',
    'report-data.js',
    'simulated-evidence.js',
    'snp/guest-policy.js',
    'snp/platform-info.js',
    'snp/report.js',
    'statement.js',
    'tdx/byte-reader.js',
    'tdx/collateral.js',
    'tdx/event-log.js',
    'tdx/quote.js',
    'tdx/td-report.js',
    'tier.js'
  ],
  core: [
    'abort.js',
    'bytes.js',
    'canonical-json.js',
    'clock.js',
    'ed25519.js',
    'errors.js',
    'nano-ton.js',
    'package-info.js',
    'price.js',
    'random.js'
  ],
  enclave: 'all',
  inference: 'all',
  seal: 'all',
  wire: ['answer-event.js', 'framing.js', 'generated/enclave.js', 'job-request.js', 'limits.js']
}

/** Files of the area `enclave` that are the host's side. */
const HOST_SIDE = ['enclave-process.js', 'enclave.js', 'host.js', 'index.js', 'run-queue.js']

const ALLOWED_PACKAGES = [
  '@huggingface/jinja',
  '@noble/post-quantum',
  'node-llama-cpp',
  'protons-runtime',
  'uint8arrays'
]

/** Node.js's own modules that reach outside the process, and who may have them. */
const ALLOWED_BUILTINS: Readonly<Record<string, readonly string[]>> = {
  // The GPU's evidence, on the owner's order.
  child_process: ['enclave/evidence/gpu-command.js'],
  fs: ['core/package-info.js', 'enclave/bundle-digest.js', 'enclave/evidence/tsm-report.js', 'inference/model-file.js'],
  'fs/promises': [
    'enclave/evidence/event-log-file.js',
    'enclave/evidence/guest-signs.js',
    'enclave/evidence/tsm-report.js',
    'inference/model-file.js'
  ],
  // The pipe to its host is the only socket it has.
  net: ['enclave/main.js'],
  os: ['inference/llama-backend.js', 'inference/llama-engine.js']
}

const HARMLESS_BUILTINS = ['crypto', 'events', 'path', 'stream/promises', 'url', 'util']

/** What may be called of `fs`. `tsm-report.js` writes to the kernel's configfs, which is no disk. */
const READING = ['constants', 'createReadStream', 'existsSync', 'open', 'readFile', 'readFileSync', 'stat']
const WRITING: Readonly<Record<string, readonly string[]>> = { 'enclave/evidence/tsm-report.js': ['mkdir', 'rmdir'] }

const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src')

function read(file: string): string {
  return readFileSync(join(SOURCES, file), 'utf8')
}

function areaOf(file: string): string {
  return file.slice(0, file.indexOf('/'))
}

function builtinOf({ specifier = '' }: ImportEdge): string | undefined {
  return specifier.startsWith('node:') ? specifier.slice('node:'.length) : undefined
}

describe('the enclave program', () => {
  const { files, edges } = importClosure('enclave/main.js', read)

  it('is measured by exactly the files that it loads', () => {
    assert.deepEqual(
      enclaveBundle().files.map(({ path }) => path),
      files
    )
  })

  it('is made of exactly the files listed here', () => {
    for (const [area, allowed] of Object.entries(ALLOWED_FILES)) {
      const found = files.filter(file => areaOf(file) === area).map(file => file.slice(area.length + 1))
      if (allowed === 'all') {
        assert.ok(found.length > 0)
        assert.deepEqual(
          found.filter(name => area === 'enclave' && HOST_SIDE.includes(name)),
          []
        )
      } else {
        assert.deepEqual(found, allowed, area)
      }
    }
    assert.deepEqual(
      files.filter(file => ALLOWED_FILES[areaOf(file)] === undefined),
      []
    )
  })

  it('loads exactly the packages listed here, and none by a computed name', () => {
    assert.deepEqual(
      edges.filter(({ to }) => to === undefined),
      []
    )
    const packages = edges.flatMap(({ to }) => (to !== undefined && 'packageName' in to ? [to.packageName] : []))
    const own = packages.filter(name => !name.startsWith('node:'))
    assert.deepEqual([...new Set(own)].toSorted(), ALLOWED_PACKAGES)
    const measured = new Set(enclaveBundle().packages.map(({ name }) => name))
    assert.deepEqual(
      ALLOWED_PACKAGES.filter(name => !measured.has(name)),
      []
    )
  })

  it("uses Node.js's own modules only where listed: no network, no other process, no worker", () => {
    for (const edge of edges) {
      const builtin = builtinOf(edge)
      if (builtin !== undefined && !HARMLESS_BUILTINS.includes(builtin)) {
        assert.ok(ALLOWED_BUILTINS[builtin]?.includes(edge.from), `${edge.from} imports node:${builtin}`)
      }
    }
  })

  it('calls nothing that writes to a disk or to the console', () => {
    for (const file of files) {
      const code = read(file)
      const names = [...code.matchAll(/^import \{([^}]*)\} from 'node:fs(?:\/promises)?'/gm)]
        .flatMap(match => (match[1] ?? '').split(','))
        .map(name => name.trim().split(' ')[0] ?? '')
      const allowed = [...READING, ...(WRITING[file] ?? [])]
      assert.deepEqual(
        names.filter(name => !allowed.includes(name)),
        [],
        file
      )
      // No other way to those names, e.g. `import * as fs`.
      const imports = importsOf(file, code).filter(edge => /^fs(?:$|\/)/.test(builtinOf(edge) ?? ''))
      assert.equal(imports.length, [...code.matchAll(/^import \{[^}]*\} from 'node:fs(?:\/promises)?'/gm)].length, file)
      const opened = [...code.matchAll(/\bopen\([^)]*\)/g)].map(([call]) => call)
      if (WRITING[file] === undefined) {
        assert.deepEqual(
          opened.filter(call => imports.length > 0 && !/^open\(\w+(?:, 'r')?\)$/.test(call)),
          [],
          file
        )
      }
      // One line at its own death: a code, no content.
      assert.equal(
        [...code.matchAll(/\bconsole\.|process\.std(?:out|err)\b/g)].length,
        file === 'enclave/main.js' ? 1 : 0
      )
    }
  })
})
