import { UsageError } from '../core/errors.ts'
import { rawAddress, type ValueReader } from './option-values.ts'
import { safeLine } from './terminal-text.ts'

/** An account that somebody typed. */
export interface TypedAddress {
  /** Raw, as everything inside takes it. */
  address: string
  /** Written for a testnet. */
  isTestOnly: boolean
}

/** Tags of the user-friendly form (TEP-2): bounceable or not; the highest bit marks a testnet's. */
const TAGS = [0x11, 0x51]
const TEST_BIT = 0x80
const LENGTH = 36
const SHOWN_CHARACTERS = 80

/** Reads the address of an account, raw or as wallets show it. @throws {UsageError} `ADDRESS_INVALID` */
export function accountAddress(name: string): ValueReader<TypedAddress> {
  const readRaw = rawAddress(name)
  return text => {
    if (text.includes(':')) {
      return { address: readRaw(text), isTestOnly: false }
    }
    const found = readFriendly(text)
    if (found === undefined) {
      throw new UsageError(
        'ADDRESS_INVALID',
        `${name} "${safeLine(text, SHOWN_CHARACTERS)}" is not an address, or mistyped: expected 48 characters like UQ…, or 0: and 64 hex digits`
      )
    }
    return found
  }
}

/** TEP-2: tag, workchain, account id and CRC16, in base64 of either alphabet. */
function readFriendly(text: string): TypedAddress | undefined {
  const bytes = /^[\w+/-]{48}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  const [tag = 0, workchain = 0] = bytes
  const isKnown =
    bytes.byteLength === LENGTH && TAGS.includes(tag & ~TEST_BIT) && (workchain === 0 || workchain === 255)
  if (!isKnown || crc16(bytes.subarray(0, LENGTH - 2)) !== bytes.readUInt16BE(LENGTH - 2)) {
    return undefined
  }
  const address = `${workchain === 0 ? 0 : -1}:${bytes.subarray(2, LENGTH - 2).toString('hex')}`
  return { address, isTestOnly: (tag & TEST_BIT) !== 0 }
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
      crc &= 0xffff
    }
  }
  return crc
}
