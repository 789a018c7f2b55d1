import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes that came from somewhere: a file, a frame. */
export interface Captured {
  where: string
  bytes: Uint8Array
}

/** Length of the windows a secret is searched by: a leak of a part is a leak. */
const WINDOW_BYTES = 10

/**
 * Where any 10 bytes of a secret stand in what was captured: as UTF-8, UTF-16, hex or base64 (at all three alignments).
 */
export function findTraces(captured: readonly Captured[], secrets: readonly string[]): string[] {
  if (secrets.some(secret => Buffer.byteLength(secret) < WINDOW_BYTES)) {
    throw new RangeError(`A secret must have ${WINDOW_BYTES} bytes at least: shorter ones are found by chance`)
  }
  const needles = byPrefix(secrets.flatMap(windows).flatMap(encodings))
  return captured.filter(({ bytes }) => contains(bytes, needles)).map(({ where }) => where)
}

/** Needles by their first four bytes: one look-up for each position of the hay, however many needles there are. */
function byPrefix(needles: readonly Buffer[]): Map<number, Buffer[]> {
  const map = new Map<number, Buffer[]>()
  for (const needle of needles) {
    const prefix = needle.readUInt32BE(0)
    map.set(prefix, [...(map.get(prefix) ?? []), needle])
  }
  return map
}

function contains(bytes: Uint8Array, needles: ReadonlyMap<number, Buffer[]>): boolean {
  const hay = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + 4 <= hay.byteLength; at++) {
    const candidates = needles.get(hay.readUInt32BE(at))
    if (candidates?.some(needle => hay.subarray(at, at + needle.byteLength).equals(needle)) === true) {
      return true
    }
  }
  return false
}

/** Every file below a folder, read whole. */
export async function captureFiles(folder: string): Promise<Captured[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries
      .filter(entry => entry.isFile())
      .map(async entry => {
        const where = join(entry.parentPath, entry.name)
        return { where, bytes: await readFile(where) }
      })
  )
}

function windows(secret: string): Uint8Array[] {
  const bytes = Buffer.from(secret)
  return Array.from({ length: bytes.byteLength - WINDOW_BYTES + 1 }, (_, at) => bytes.subarray(at, at + WINDOW_BYTES))
}

function encodings(bytes: Uint8Array): Buffer[] {
  const plain = Buffer.from(bytes)
  const base64 = [0, 1, 2].map(shift => {
    const text = Buffer.concat([Buffer.alloc(shift), plain]).toString('base64')
    // Only the characters that depend on the secret alone.
    return Buffer.from(text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + plain.byteLength) * 8) / 6)))
  })
  return [plain, Buffer.from(plain.toString('latin1'), 'utf16le'), Buffer.from(plain.toString('hex')), ...base64]
}
