import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { projectRoot } from '../../support/shared-data.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

const PACK = join(projectRoot(), 'deploy', 'tdx-guest', 'pack-initrd.js')

interface Entry {
  name: string
  mode: number
  content: string
}

/** Reads a "newc" archive as the kernel does. */
function unpack(bytes: Buffer): Entry[] {
  const entries: Entry[] = []
  for (let at = 0; at < bytes.byteLength; ) {
    assert.equal(bytes.toString('latin1', at, at + 6), '070701')
    const field = (index: number): number =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)
    const [size, nameSize] = [field(6), field(11)]
    // Owners, time and devices: always the same.
    assert.deepEqual([2, 3, 5, 7, 8, 9, 10, 12].map(field), Array<number>(8).fill(0))
    const name = bytes.toString('utf8', at + 110, at + 110 + nameSize - 1)
    const start = (at + 110 + nameSize + 3) & ~3
    entries.push({ name, mode: field(1), content: bytes.toString('utf8', start, start + size) })
    at = (start + size + 3) & ~3
  }
  return entries
}

describe("a guest's initial file system", () => {
  const folder = useTempFolder()

  function packed(name: string, mode: number, seconds: number): Buffer {
    const root = join(folder(), name)
    mkdirSync(join(root, 'bin'), { recursive: true })
    writeFileSync(join(root, 'init'), '#!/bin/sh\n')
    chmodSync(join(root, 'init'), mode)
    writeFileSync(join(root, 'bin', 'ünder'), 'abcde')
    symlinkSync('busybox', join(root, 'bin', 'sh'))
    utimesSync(join(root, 'init'), seconds, seconds)
    const output = join(folder(), `${name}.img`)
    execFileSync(process.execPath, [PACK, root, output])
    return readFileSync(output)
  }

  it('is the same for the same content, whoever made it and when', () => {
    assert.deepEqual(packed('one', 0o700, 1_000), packed('other', 0o755, 2_000_000_000))
  })

  it('holds every file, link and folder, in order', () => {
    assert.deepEqual(unpack(gunzipSync(packed('one', 0o755, 1))), [
      { name: 'bin', mode: 0o040755, content: '' },
      { name: 'bin/sh', mode: 0o120777, content: 'busybox' },
      { name: 'bin/ünder', mode: 0o100644, content: 'abcde' },
      { name: 'init', mode: 0o100755, content: '#!/bin/sh\n' },
      { name: 'TRAILER!!!', mode: 0, content: '' }
    ])
  })
})
