import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toHex } from '../../../src/core/bytes.ts'
import { bundleDigest, enclaveBundle } from '../../../src/enclave/bundle-digest.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'src')
const AREAS = ['attest', 'core', 'enclave', 'inference', 'seal', 'wire']

describe('bundle digest', () => {
  const folder = useTempFolder()

  /** The compiled areas somewhere else, where no package is installed. */
  async function copied(): Promise<string> {
    for (const area of AREAS) {
      await cp(join(SOURCES, area), join(folder(), area), { recursive: true })
    }
    return folder()
  }

  it('is the SHA-256 of a listing that anyone can make with sha256sum', async () => {
    const { digest, listing, files, packages } = enclaveBundle()
    assert.equal(toHex(digest), createHash('sha256').update(listing).digest('hex'))
    const lines = listing.split('\n')
    assert.equal(lines[0], 'cocoon-enclave-bundle/1')
    assert.equal(lines.at(-1), '')
    assert.equal(lines.length, 2 + files.length + packages.length)
    const main = createHash('sha256')
      .update(await readFile(join(SOURCES, 'enclave', 'main.js')))
      .digest('hex')
    assert.ok(lines.includes(`file enclave/main.js ${main}`))
    assert.ok(lines.some(line => /^package node-llama-cpp \d+\.\d+\.\d+ sha512-\S+$/.test(line)))
  })

  it('is the same for the same files, wherever they lie', async () => {
    assert.equal(toHex(bundleDigest(await copied())), toHex(bundleDigest()))
  })

  it('changes with one byte of any file of the program, and with no other file', async () => {
    const root = await copied()
    const before = toHex(bundleDigest(root))
    for (const other of ['enclave/main.js.map', 'enclave/main.d.ts', 'core/extra.js', 'enclave/host.js']) {
      await writeFile(join(root, other), 'changed')
    }
    assert.equal(toHex(bundleDigest(root)), before)
    for (const { path } of enclaveBundle().files) {
      const file = join(root, path)
      const content = await readFile(file)
      const changed = Uint8Array.from(content)
      changed[content.byteLength >> 1] = (changed[content.byteLength >> 1] ?? 0) ^ 1
      await writeFile(file, changed)
      assert.notEqual(toHex(bundleDigest(root)), before, path)
      await writeFile(file, content)
    }
    assert.equal(toHex(bundleDigest(root)), before)
  })

  it('changes with a package that is installed in another version, and says so', async () => {
    const root = await copied()
    const before = toHex(bundleDigest(root))
    const { packages } = enclaveBundle()
    const locked = packages.find(({ name }) => name === '@huggingface/jinja')
    assert.ok(locked)
    const installed = join(root, 'node_modules', '@huggingface', 'jinja')
    await mkdir(installed, { recursive: true })
    await writeFile(join(installed, 'package.json'), JSON.stringify({ version: locked.version }))
    assert.equal(toHex(bundleDigest(root)), before)
    await writeFile(join(installed, 'package.json'), JSON.stringify({ version: '99.0.0' }))
    const { digest, listing } = enclaveBundle(root)
    assert.notEqual(toHex(digest), before)
    assert.match(listing, /^package @huggingface\/jinja 99\.0\.0 unlocked$/m)
  })

  it('has a code of its own for a program that is not whole', async () => {
    const root = await copied()
    await rm(join(root, 'enclave', 'bundle.json'))
    assert.throws(() => bundleDigest(root), { code: 'ENCLAVE_BUNDLE_BROKEN' })
    await writeFile(join(root, 'enclave', 'bundle.json'), '{')
    assert.throws(() => bundleDigest(root), { code: 'ENCLAVE_BUNDLE_BROKEN' })
    await cp(join(SOURCES, 'enclave', 'bundle.json'), join(root, 'enclave', 'bundle.json'))
    await rm(join(root, 'core', 'bytes.js'))
    assert.throws(() => bundleDigest(root), { code: 'ENCLAVE_BUNDLE_BROKEN' })
  })
})
