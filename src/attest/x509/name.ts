import { DerFault, type DerReader, readWhole, TAG } from './der.ts'
import { readOid } from './der-values.ts'

const MAX_ATTRIBUTES = 16
const MAX_VALUE_BYTES = 256

/** Short names of attribute types, RFC 4519 §2. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU'
}

const STRING_TAGS: readonly number[] = [TAG.utf8String, TAG.printableString, TAG.t61String, TAG.ia5String]

/** The name of a subject or an issuer. */
export interface DistinguishedName {
  /** Names are equal only if these bytes are: no folding of case or white space. */
  readonly der: Uint8Array
  /** For messages: `CN=…, O=…`, printable ASCII only. */
  readonly text: string
  /** The one common name; undefined if there is none or several. */
  readonly commonName: string | undefined
}

/** Reads a Name (RFC 5280 §4.1.2.4) whose RDNs have one attribute each. */
export function readName(reader: DerReader, what: string): DistinguishedName {
  const { raw } = reader.read(TAG.sequence, what)
  const attributes = readWhole(raw, TAG.sequence, what, names => {
    const found: Array<{ type: string; value: string }> = []
    while (!names.atEnd) {
      if (found.length === MAX_ATTRIBUTES) {
        throw new DerFault(`${what} has more than ${MAX_ATTRIBUTES} attributes`)
      }
      found.push(names.nested(TAG.set, what, set => set.nested(TAG.sequence, what, pair => readAttribute(pair, what))))
    }
    return found
  })
  const common = attributes.filter(({ type }) => type === 'CN')
  return {
    der: raw,
    text: attributes.map(({ type, value }) => `${type}=${value.replace(/[^\x20-\x7e]/g, '?')}`).join(', '),
    commonName: common.length === 1 ? common[0]?.value : undefined
  }
}

export function sameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return Buffer.from(a.der.buffer, a.der.byteOffset, a.der.byteLength).equals(b.der)
}

function readAttribute(pair: DerReader, what: string): { type: string; value: string } {
  const oid = readOid(pair, what)
  const { tag, content } = pair.readAny(what)
  if (!STRING_TAGS.includes(tag) || content.length > MAX_VALUE_BYTES) {
    throw new DerFault(`${what} has a value that is not a short text`)
  }
  return { type: SHORT_NAMES[oid] ?? oid, value: new TextDecoder('latin1').decode(content) }
}
