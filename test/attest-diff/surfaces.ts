import type { AttestationCase } from './attestation-cases.ts'

/** One piece of a case that can be changed byte by byte. */
export interface Surface {
  readonly name: string
  readonly bytes: Uint8Array
  /** The case with these bytes in place of the piece. */
  readonly change: (bytes: Uint8Array) => AttestationCase
}

const HEX_FIELDS: readonly string[] = ['root_ca_crl', 'pck_crl', 'tcb_info_signature', 'qe_identity_signature']
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----\n([\s\S]*?)\n-----END CERTIFICATE-----/g

/**
 * The pieces of a case: the quote, every text of its collateral as written, the bytes behind those in hex, and the DER
 * of every certificate in the quote and the collateral.
 */
export function surfacesOf(given: AttestationCase): readonly Surface[] {
  const withField = (field: string, text: string): AttestationCase => ({
    ...given,
    collateral: { ...given.collateral, [field]: text }
  })
  const surfaces: Surface[] = [{ name: 'quote', bytes: given.quote, change: quote => ({ ...given, quote }) }]
  for (const [field, text] of Object.entries(given.collateral)) {
    surfaces.push({ name: field, bytes: latin1(text), change: bytes => withField(field, fromLatin1(bytes)) })
    if (HEX_FIELDS.includes(field)) {
      surfaces.push({
        name: `${field} (bytes)`,
        bytes: new Uint8Array(Buffer.from(text, 'hex')),
        change: bytes => withField(field, Buffer.from(bytes).toString('hex'))
      })
    }
    surfaces.push(...certificatesIn(text, `${field} certificate`, changed => withField(field, changed)))
  }
  // Their texts keep their length, so the sizes around them still hold.
  const quoteText = fromLatin1(given.quote)
  surfaces.push(...certificatesIn(quoteText, 'quote certificate', changed => ({ ...given, quote: latin1(changed) })))
  return surfaces
}

function certificatesIn(text: string, name: string, change: (text: string) => AttestationCase): Surface[] {
  return [...text.matchAll(PEM_BLOCK)].map((match, index) => {
    const [block, body = ''] = match
    return {
      name: `${name} ${index} (DER)`,
      bytes: new Uint8Array(Buffer.from(body, 'base64')),
      change: bytes => {
        const lines = Buffer.from(bytes)
          .toString('base64')
          .replace(/(.{64})(?=.)/g, '$1\n')
        const written = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----`
        return change(text.slice(0, match.index) + written + text.slice(match.index + block.length))
      }
    }
  })
}

/** The bytes with one bit changed, counted from the first byte's lowest. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = Math.floor(bit / 8)
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8))
  return copy
}

function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

function fromLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
