import { fromHex, sha256, toHex } from '../../core/bytes.ts'
import { UsageError } from '../../core/errors.ts'
import { MAX_NANO_TON, type NanoTon } from '../../core/nano-ton.ts'
import type { Voucher } from '../voucher.ts'

/** A voucher for whoever guards its channel, with the network it is valid on. Holds no secret: it can only pay the payee. */
export interface WatchVoucher extends Voucher {
  /** The chain's global id. */
  globalId: number
}

/** No voucher's file is larger, in bytes. */
export const WATCH_FILE_BYTES = 4_096

const HEADER = 'cocoon-voucher 1'
const CHECK_BYTES = 8
const FIELDS = ['network', 'channel', 'opened', 'amount', 'signature', 'check'] as const

type Field = (typeof FIELDS)[number]

const SHAPES: Readonly<Record<Field, { pattern: RegExp; expected: string }>> = {
  network: { pattern: /^-?(?:0|[1-9]\d{0,9})$/, expected: 'a network id like -239' },
  channel: { pattern: /^0:[0-9a-f]{64}$/, expected: 'a raw address, 0: and 64 hex digits' },
  opened: { pattern: /^[1-9]\d{0,19}$/, expected: 'a logical time' },
  amount: { pattern: /^(?:0|[1-9]\d{0,36})$/, expected: 'nanotons' },
  signature: { pattern: /^[0-9a-f]{128}$/, expected: '128 hex digits' },
  check: { pattern: /^[0-9a-f]{16}$/, expected: '16 hex digits' }
}

/**
 * A voucher as text, one field a line, with a checksum over all of them:
 *
 *     cocoon-voucher 1
 *     network -239
 *     channel 0:<64 hex>
 *     opened <logical time>
 *     amount <nanotons, over the channel's whole life>
 *     signature <128 hex>
 *     check <first 8 bytes of the SHA-256 of the lines above, hex>
 */
export function encodeWatchFile(voucher: WatchVoucher): string {
  const { globalId, channel, openedLt, cumulative, signature } = voucher
  const body = [
    HEADER,
    `network ${globalId}`,
    `channel ${channel}`,
    `opened ${openedLt}`,
    `amount ${cumulative}`,
    `signature ${toHex(signature)}`,
    ''
  ].join('\n')
  return `${body}check ${checkOf(body)}\n`
}

/**
 * Reads what {@link encodeWatchFile} wrote; says nothing of the signature. Ends of lines may be those of any system.
 *
 * @throws {UsageError} `VOUCHER_FILE_INVALID` naming the first thing that is wrong
 */
export function decodeWatchFile(text: string): WatchVoucher {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\n+$/, '').split('\n')
  const [header, ...rest] = lines
  if (header !== HEADER) {
    const version = /^cocoon-voucher (\d{1,9})$/.exec(header ?? '')?.[1]
    throw invalid(
      version === undefined
        ? `it does not begin with "${HEADER}"`
        : `its version is ${version}: expected 1, a newer cocoon-node reads it`
    )
  }
  const fields = new Map<Field, string>()
  for (const [at, name] of FIELDS.entries()) {
    fields.set(name, readField(name, rest[at]))
  }
  if (rest.length > FIELDS.length) {
    throw invalid('it goes on after its checksum')
  }
  if (fields.get('check') !== checkOf(`${lines.slice(0, -1).join('\n')}\n`)) {
    throw invalid('its checksum does not match: it was cut or changed, export it again')
  }
  return readVoucher(name => fields.get(name) ?? '')
}

function readVoucher(field: (name: Field) => string): WatchVoucher {
  const globalId = Number(field('network'))
  const openedLt = BigInt(field('opened'))
  const cumulative = BigInt(field('amount'))
  if ((globalId | 0) !== globalId || openedLt >> 64n !== 0n || cumulative > MAX_NANO_TON) {
    throw invalid('a number in it is out of range')
  }
  return {
    globalId,
    channel: field('channel'),
    openedLt,
    cumulative: cumulative as NanoTon,
    signature: fromHex(field('signature'), 64)
  }
}

function readField(name: Field, line: string | undefined): string {
  const { pattern, expected } = SHAPES[name]
  const value = line?.startsWith(`${name} `) === true ? line.slice(name.length + 1) : undefined
  if (value === undefined || !pattern.test(value)) {
    throw invalid(`its line "${name}" is ${value === undefined ? 'missing' : 'malformed'}: expected ${expected}`)
  }
  return value
}

function checkOf(body: string): string {
  return toHex(sha256(body).subarray(0, CHECK_BYTES))
}

function invalid(problem: string): UsageError {
  return new UsageError('VOUCHER_FILE_INVALID', `Not a voucher as "cocoon-node channel voucher" makes them: ${problem}`)
}
