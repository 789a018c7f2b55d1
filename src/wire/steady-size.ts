/**
 * Encodes a message with so much padding that its size is a whole number of units: a message's size then tells nothing of
 * the numbers in it.
 *
 * @param encode with this padding, a field of bytes of the message itself whose tag takes one byte
 */
export function encodeSteady(unitBytes: number, encode: (padding: Uint8Array) => Uint8Array): Uint8Array {
  const bareBytes = encode(new Uint8Array(0)).byteLength
  for (let total = unitBytes; ; total += unitBytes) {
    const padding = paddingFor(total - bareBytes)
    if (padding !== undefined) {
      return encode(new Uint8Array(padding))
    }
  }
}

/** Length of the padding whose field takes `bytes`: its tag, its length as a varint, itself. */
function paddingFor(bytes: number): number | undefined {
  if (bytes >= 3 && bytes < 130) {
    return bytes - 2
  }
  return bytes >= 131 ? bytes - 3 : undefined
}
