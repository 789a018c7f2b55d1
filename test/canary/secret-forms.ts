import type { Secret } from './secret.ts'

/** Length of the windows a secret is searched by: a leak of a part is a leak. */
export const WINDOW_BYTES = 10

/** One way a secret can be written down. */
export interface SecretForm {
  secret: Secret
  /** `utf-8`, `base64+1`, … */
  name: string
  bytes: Uint8Array
  /** Bytes of this form that hold a window of the secret at least, whatever the window. */
  leastBytes: number
  /** Bytes of the secret that lie wholly within a part of this form: from, to. */
  within(from: number, to: number): [number, number]
}

/**
 * A secret as it is, as UTF-16, as hex in both cases, and as base64 and base64url at all three alignments.
 *
 * @throws {RangeError} if it has fewer than 10 bytes: such are found by chance
 */
export function secretForms(secret: Secret): SecretForm[] {
  const { bytes } = secret
  if (bytes.byteLength < WINDOW_BYTES) {
    throw new RangeError(`${secret.name} has ${bytes.byteLength} bytes: a secret must have ${WINDOW_BYTES} at least`)
  }
  const hex = Buffer.from(bytes).toString('hex')
  const half = (from: number, to: number): [number, number] => [Math.ceil(from / 2), Math.floor(to / 2)]
  const form = (name: string, text: Uint8Array | string, leastBytes: number, within: SecretForm['within']) => ({
    secret,
    name,
    bytes: typeof text === 'string' ? Buffer.from(text) : text,
    leastBytes,
    within
  })
  return [
    form('plain', bytes, WINDOW_BYTES, (from, to) => [from, to]),
    utf16(secret),
    form('hex', hex, 2 * WINDOW_BYTES, half),
    form('HEX', hex.toUpperCase(), 2 * WINDOW_BYTES, half),
    ...[0, 1, 2].flatMap(shift => base64(secret, shift))
  ]
}

function utf16(secret: Secret): SecretForm {
  const { bytes, text } = secret
  // Bytes that are no text would be widened one by one.
  const units = text ?? Buffer.from(bytes).toString('latin1')
  const at = (index: number): number => (text === undefined ? index : Buffer.byteLength(text.slice(0, index)))
  return {
    secret,
    name: 'utf-16',
    bytes: Buffer.from(units, 'utf16le'),
    leastBytes: 2 * WINDOW_BYTES,
    within: (from, to) => [at(Math.ceil(from / 2)), at(Math.floor(to / 2))]
  }
}

/** The characters that depend on the secret alone, when `shift` bytes of something else come before it. */
function base64(secret: Secret, shift: number): SecretForm[] {
  const { bytes } = secret
  const lead = Math.ceil((shift * 8) / 6)
  const end = Math.floor(((shift + bytes.byteLength) * 8) / 6)
  const within = (from: number, to: number): [number, number] => [
    Math.ceil(((from + lead) * 6) / 8) - shift,
    Math.floor(((to + lead) * 6) / 8) - shift
  ]
  const shifted = Buffer.concat([Buffer.alloc(shift), bytes])
  // Ten bytes settle twelve characters at the worst alignment.
  const leastBytes = 12
  const plain = Buffer.from(shifted.toString('base64').slice(lead, end))
  const url = Buffer.from(shifted.toString('base64url').slice(lead, end))
  return [
    { secret, name: `base64+${shift}`, bytes: plain, leastBytes, within },
    ...(plain.equals(url) ? [] : [{ secret, name: `base64url+${shift}`, bytes: url, leastBytes, within }])
  ]
}
