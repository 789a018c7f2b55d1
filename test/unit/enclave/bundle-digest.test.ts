import assert from 'node:assert/strict'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toHex } from '../../../src/core/bytes.ts'
import { bundleDigest } from '../../../src/enclave/bundle-digest.ts'

const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'src')

describe('bundle digest', () => {
  let copy: string

  before(async () => {
    copy = await mkdtemp(join(tmpdir(), 'cocoon-bundle-'))
    for (const area of ['attest', 'core', 'enclave', 'inference', 'seal', 'wire']) {
      await cp(join(SOURCES, area), join(copy, area), { recursive: true })
    }
  })
  after(() => rm(copy, { recursive: true }))

  it('is the same for the same files, wherever they lie', () => {
    assert.equal(toHex(bundleDigest(copy)), toHex(bundleDigest()))
  })

  it('ignores source maps and types, and changes with one byte of code, a new file, or a new name', async () => {
    const before = toHex(bundleDigest(copy))
    await writeFile(join(copy, 'enclave', 'main.js.map'), '{}')
    await writeFile(join(copy, 'enclave', 'main.d.ts'), 'export {}')
    assert.equal(toHex(bundleDigest(copy)), before)
    const extra = join(copy, 'core', 'extra.js')
    await writeFile(extra, '1')
    const withExtra = toHex(bundleDigest(copy))
    assert.notEqual(withExtra, before)
    await writeFile(extra, '2')
    assert.notEqual(toHex(bundleDigest(copy)), withExtra)
    await rm(extra)
    await writeFile(join(copy, 'core', 'extrb.js'), '1')
    assert.notEqual(toHex(bundleDigest(copy)), withExtra)
    await rm(join(copy, 'core', 'extrb.js'))
    assert.equal(toHex(bundleDigest(copy)), before)
  })
})
