import { AttestationError } from '../../core/errors.ts'
import { MAX_CERTIFICATE_BYTES } from './certificate.ts'

const BEGIN = '-----BEGIN CERTIFICATE-----'
const END = '-----END CERTIFICATE-----'
const LINE_CHARACTERS = 64
const MAX_LINES = Math.ceil((MAX_CERTIFICATE_BYTES * 4) / 3 / LINE_CHARACTERS) + 2

/**
 * Splits PEM text (RFC 7468 §3, the strict form) into the DER of its certificates: lines of 64 characters, one kind of
 * line end, canonical base64, nothing but empty lines between certificates.
 *
 * @param maxCertificates - more are refused before any is decoded
 * @throws {AttestationError} `ATTESTATION_PEM_INVALID` also if there is none
 */
export function splitPem(text: string | Uint8Array, maxCertificates: number): Uint8Array[] {
  const all = typeof text === 'string' ? text : new TextDecoder('latin1').decode(text)
  if (all.length > maxCertificates * (MAX_LINES * (LINE_CHARACTERS + 2) + 128)) {
    throw fault(`it has ${all.length} characters, too many for ${maxCertificates} certificates`)
  }
  const lines = all.includes('\r') ? all.split('\r\n') : all.split('\n')
  const found: Uint8Array[] = []
  let body: string[] | undefined
  for (const line of lines) {
    if (body === undefined) {
      if (line === BEGIN && found.length < maxCertificates) {
        body = []
      } else if (line !== '') {
        throw fault(
          line === BEGIN ? `it has more than ${maxCertificates} certificates` : 'a certificate does not begin'
        )
      }
    } else if (line === END) {
      found.push(decode(body))
      body = undefined
    } else {
      body.push(line)
    }
  }
  if (body !== undefined || found.length === 0) {
    throw fault(body === undefined ? 'it holds no certificate' : 'a certificate does not end')
  }
  return found
}

function decode(lines: readonly string[]): Uint8Array {
  const full = lines.slice(0, -1).every(line => line.length === LINE_CHARACTERS)
  const last = lines.at(-1) ?? ''
  if (!full || last.length === 0 || last.length > LINE_CHARACTERS) {
    throw fault(`its lines do not have ${LINE_CHARACTERS} characters`)
  }
  const text = lines.join('')
  const bytes = Buffer.from(text, 'base64')
  // Node skips what is not base64; one certificate has one text.
  if (bytes.toString('base64') !== text) {
    throw fault('it is not canonical base64')
  }
  return new Uint8Array(bytes)
}

function fault(why: string): AttestationError {
  return new AttestationError('ATTESTATION_PEM_INVALID', `Certificates in PEM are refused: ${why}`)
}
