// node pack-initrd.js <folder> <output.cpio.gz>
// Packs a folder as the kernel wants its first file system: a "newc" cpio archive, gzipped. The same content gives the
// same bytes: names in order, no owner, no time, permissions by kind.
import { createWriteStream, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

const KIND = { folder: 0o040755, link: 0o120777, program: 0o100755, file: 0o100644 }
const ALIGNMENT = 4

function* archive(root) {
  let inode = 0
  for (const path of walk(root, '')) {
    inode += 1
    const { mode, content } = describe(join(root, path))
    yield header(path, mode, inode, content.byteLength)
    yield padded(content)
  }
  yield header('TRAILER!!!', 0, 0, 0)
}

function* walk(root, folder) {
  for (const name of readdirSync(join(root, folder)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const path = join(folder, name)
    yield path
    if (lstatSync(join(root, path)).isDirectory()) {
      yield* walk(root, path)
    }
  }
}

function describe(file) {
  const found = lstatSync(file)
  if (found.isDirectory()) {
    return { mode: KIND.folder, content: Buffer.alloc(0) }
  }
  if (found.isSymbolicLink()) {
    return { mode: KIND.link, content: Buffer.from(readlinkSync(file)) }
  }
  if (!found.isFile()) {
    throw new Error(`${file} is neither a file nor a folder nor a link`)
  }
  return { mode: (found.mode & 0o100) === 0 ? KIND.file : KIND.program, content: readFileSync(file) }
}

// cpio(5), "New ASCII Format": magic, then thirteen numbers of eight hex digits.
function header(name, mode, inode, size) {
  const links = 1
  const fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, Buffer.byteLength(name) + 1, 0]
  const numbers = fields.map(value => value.toString(16).padStart(8, '0')).join('')
  return padded(Buffer.from(`070701${numbers}${name}\0`))
}

function padded(bytes) {
  const rest = bytes.byteLength % ALIGNMENT
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(ALIGNMENT - rest)])
}

const [folder, output] = process.argv.slice(2)
if (folder === undefined || output === undefined) {
  console.error('node pack-initrd.js <folder> <output.cpio.gz>')
  process.exit(2)
}
await pipeline(Readable.from(archive(folder)), createGzip({ level: 6 }), createWriteStream(output))
