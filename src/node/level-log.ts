import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EnvironmentError, errorCode } from '../core/errors.ts'
import { crc32c } from './crc32c.ts'

/** A damaged place in a LevelDB log, with writes of ours after it. */
export interface LogDamage {
  file: string
  /** Byte at which it begins. */
  at: number
}

// LevelDB's log format (doc/log_format.md): blocks of records, each crc:uint32 ‖ length:uint16 (little-endian) ‖ type:uint8 ‖ data.
const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7
/** Full, first, middle and last fragment. */
const MAX_TYPE = 4
const MASK_DELTA = 0xa282ead8

/** Sublevels in which every write is synced: what stands before one of theirs had been on disk. */
const SYNCED = ['!ledger!', '!steps!'].map(name => Buffer.from(name))

/**
 * Looks for damage that LevelDB would pass over in silence: it drops what follows a bad place in its log, and opens
 * with what was known before. A last write that is cut short is no damage: nobody was told of it.
 *
 * @param folder of the database; nothing is found in one that does not exist
 */
export async function findLogDamage(folder: string): Promise<LogDamage | undefined> {
  for (const file of (await listFiles(folder)).filter(name => name.endsWith('.log'))) {
    const at = damagedAt(await readFile(join(folder, file)))
    if (at !== undefined) {
      return { file, at }
    }
  }
  return undefined
}

/**
 * Whether the file that names the database's state is gone while its data is there: LevelDB would begin a new one, and
 * delete the data.
 */
export async function isHeadMissing(folder: string): Promise<boolean> {
  const files = await listFiles(folder)
  return !files.includes('CURRENT') && files.some(name => /\.(?:log|ldb|sst)$/.test(name))
}

/** @throws {EnvironmentError} `STORE_UNREADABLE` */
async function listFiles(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') {
      return []
    }
    throw new EnvironmentError(
      'STORE_UNREADABLE',
      `The folder ${folder} cannot be read (${errorCode(cause) ?? 'unknown error'}): check its owner and its disk`,
      { cause }
    )
  }
}

function damagedAt(log: Buffer): number | undefined {
  let damage: number | undefined
  for (let at = 0; at + HEADER_BYTES <= log.byteLength; ) {
    const blockLeft = BLOCK_BYTES - (at % BLOCK_BYTES)
    const length = blockLeft < HEADER_BYTES ? undefined : recordLength(log, at, blockLeft)
    if (blockLeft < HEADER_BYTES) {
      // Too short for another record: left empty.
      at += blockLeft
    } else if (length === undefined) {
      damage ??= at
      // Where the next record begins is not known: wherever the checksum of one is right.
      at++
    } else {
      const data = log.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length)
      if (damage !== undefined && SYNCED.some(name => data.includes(name))) {
        return damage
      }
      at += HEADER_BYTES + length
    }
  }
  return undefined
}

/** Length of the data of a whole record; undefined if there is none at this place. */
function recordLength(log: Buffer, at: number, blockLeft: number): number | undefined {
  const length = log.readUInt16LE(at + 4)
  const type = log[at + 6] ?? 0
  const end = at + HEADER_BYTES + length
  if (type === 0 || type > MAX_TYPE || HEADER_BYTES + length > blockLeft || end > log.byteLength) {
    return undefined
  }
  return maskCrc(crc32c(log.subarray(at + 6, end))) === log.readUInt32LE(at) ? length : undefined
}

/** LevelDB stores checksums so that one over data with checksums in it is no special case. */
function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}
