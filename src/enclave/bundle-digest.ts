import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha256 } from '../core/bytes.ts'

/** Areas the enclave program is made of (design §2). */
const AREAS = ['attest', 'core', 'enclave', 'inference', 'seal', 'wire']

/**
 * SHA-256 over the enclave's own compiled files: for each, in the order of their paths,
 * `length:uint32 (big-endian) ‖ path (POSIX, from the source root) ‖ SHA-256(content)`. Dependencies, Node.js and the
 * model are not in it.
 *
 * @param root folder that holds the areas; by default the one this file runs from
 */
export function bundleDigest(root = dirname(dirname(fileURLToPath(import.meta.url)))): Uint8Array {
  const paths = AREAS.flatMap(area => listCode(join(root, area)))
    .map(file => relative(root, file).split(sep).join('/'))
    .toSorted()
  const hash = createHash('sha256')
  for (const path of paths) {
    const name = Buffer.from(path)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(name.byteLength)
    hash
      .update(length)
      .update(name)
      .update(sha256(readFileSync(join(root, path))))
  }
  return new Uint8Array(hash.digest())
}

function listCode(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.js'))
    .map(entry => join(entry.parentPath, entry.name))
}
