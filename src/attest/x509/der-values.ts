import { DerFault, type DerReader, TAG } from './der.ts'

const MAX_OID_BYTES = 64

/** A BOOLEAN; DER has one encoding of each value (X.690 §11.1). */
export function readBoolean(reader: DerReader, what: string): boolean {
  const { content } = reader.read(TAG.boolean, what)
  const [value] = content
  if (content.length !== 1 || (value !== 0 && value !== 0xff)) {
    throw new DerFault(`${what} is not a boolean`)
  }
  return value === 0xff
}

/** The content bytes of an INTEGER or ENUMERATED in its shortest form (X.690 §8.3), two's complement, big-endian. */
export function readInteger(reader: DerReader, what: string, tag: number = TAG.integer): Uint8Array {
  const { content } = reader.read(tag, what)
  const [first, second] = content
  if (first === undefined) {
    throw new DerFault(`${what} is an integer without bytes`)
  }
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new DerFault(`${what} is an integer that is not in its shortest form`)
  }
  return content
}

/** An INTEGER or ENUMERATED from 0 to 2^31 − 1. */
export function readSmallInteger(reader: DerReader, what: string, tag: number = TAG.integer): number {
  const content = readInteger(reader, what, tag)
  if (content.length > 4 || (content[0] ?? 0) >= 0x80) {
    throw new DerFault(`${what} is out of range: expected 0 to 2147483647`)
  }
  return content.reduce((value, byte) => value * 256 + byte, 0)
}

/** An OBJECT IDENTIFIER in dotted form. */
export function readOid(reader: DerReader, what: string): string {
  const { content } = reader.read(TAG.oid, what)
  const last = content.at(-1)
  if (last === undefined || last >= 0x80 || content.length > MAX_OID_BYTES) {
    throw new DerFault(`${what} is not an object identifier`)
  }
  const arcs: number[] = []
  let arc = 0
  let begins = true
  for (const byte of content) {
    if (begins && byte === 0x80) {
      throw new DerFault(`${what} is an object identifier that is not in its shortest form`)
    }
    arc = arc * 128 + (byte & 0x7f)
    if (arc > 0xffff_ffff) {
      throw new DerFault(`${what} is an object identifier with too large a number`)
    }
    begins = byte < 0x80
    if (begins) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [first = 0, ...rest] = arcs
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...rest].join('.')
}

/** A BIT STRING of whole bytes: a key or a signature. */
export function readBitStringBytes(reader: DerReader, what: string): Uint8Array {
  const { content } = reader.read(TAG.bitString, what)
  if (content[0] !== 0) {
    throw new DerFault(`${what} is not a bit string of whole bytes`)
  }
  return content.subarray(1)
}

/**
 * A BIT STRING of named bits: the numbers of those that are set. Zero bits at its end may be counted or not: DER cuts
 * them (X.690 §11.2.2), the roots of AMD do not.
 */
export function readNamedBits(reader: DerReader, what: string): ReadonlySet<number> {
  const { content } = reader.read(TAG.bitString, what)
  const [unused = 8, ...bytes] = content
  const last = bytes.at(-1)
  if (unused > 7 || bytes.length > 4 || (last === undefined ? unused !== 0 : last % 2 ** unused !== 0)) {
    throw new DerFault(`${what} is not a bit string in DER`)
  }
  return new Set(
    bytes.flatMap((byte, i) => [0, 1, 2, 3, 4, 5, 6, 7].filter(bit => byte & (0x80 >> bit)).map(bit => i * 8 + bit))
  )
}

/** An OCTET STRING's content. */
export function readOctets(reader: DerReader, what: string): Uint8Array {
  return reader.read(TAG.octetString, what).content
}

/**
 * A Time as RFC 5280 §4.1.2.5 has it, in Unix milliseconds: UTCTime or GeneralizedTime, both with seconds and in UTC, and a
 * date that exists. GeneralizedTime is read for years before 2050 too: NVIDIA's signers of golden measurements write so.
 */
export function readTime(reader: DerReader, what: string): number {
  const { tag, content } = reader.readAny(what)
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1')
  const short = tag === TAG.utcTime && /^\d{12}Z$/.test(text)
  const long = tag === TAG.generalizedTime && /^\d{14}Z$/.test(text)
  const full = short ? `${text < '5' ? '20' : '19'}${text}` : text
  if (!short && !long) {
    throw new DerFault(`${what} is not a time as RFC 5280 writes it`)
  }
  const iso = full.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const timeMs = Date.parse(iso)
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== iso) {
    throw new DerFault(`${what} is a date that does not exist`)
  }
  return timeMs
}
