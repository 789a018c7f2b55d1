import { toHex } from './bytes.ts'
import { UsageError } from './errors.ts'

/** An account of the chain: workchain and 256-bit account id. */
export interface RawAddress {
  workchain: number
  /** Account id, 32 bytes. */
  hash: Uint8Array
}

/**
 * Parses `<workchain>:<64 lower-case hex digits>`, the one text form addresses have inside this package.
 *
 * @throws {UsageError} `ADDRESS_INVALID` for anything else, friendly forms (`EQ…`) included
 */
export function parseRawAddress(text: string): RawAddress {
  const match = /^(0|-1):([0-9a-f]{64})$/.exec(text)
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new UsageError(
      'ADDRESS_INVALID',
      `"${text.slice(0, 80)}" is not an address: expected 0: and 64 lower-case hex digits`
    )
  }
  return { workchain: Number(match[1]), hash: new Uint8Array(Buffer.from(match[2], 'hex')) }
}

export function formatRawAddress(address: RawAddress): string {
  return `${address.workchain}:${toHex(address.hash)}`
}
