/** Writes DER for tests: what it is given, in the forms of X.690 §10. */
export function der(tag: number, ...content: Array<Uint8Array | number[]>): Uint8Array {
  const body = Buffer.concat(content.map(part => Uint8Array.from(part)))
  const size = body.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Uint8Array.from([tag, ...length, ...body])
}

export const seq = (...content: Array<Uint8Array | number[]>): Uint8Array => der(0x30, ...content)

/** A non-negative INTEGER. */
export function int(value: number | bigint, tag = 0x02): Uint8Array {
  const hex = value.toString(16)
  const bytes = [...Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')]
  return der(tag, (bytes[0] ?? 0) >= 0x80 ? [0, ...bytes] : bytes)
}

export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const arcs = [first * 40 + second, ...rest].flatMap(arc => {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left & 0x7f) | 0x80)
    }
    return groups
  })
  return der(0x06, arcs)
}

export const octets = (...content: Array<Uint8Array | number[]>): Uint8Array => der(0x04, ...content)
export const bits = (content: Uint8Array | number[], unused = 0): Uint8Array => der(0x03, [unused], content)
export const bool = (value: boolean): Uint8Array => der(0x01, [value ? 0xff : 0])
export const utf8 = (text: string): Uint8Array => der(0x0c, Buffer.from(text))

/** A time as RFC 5280 writes it. */
export function time(ms: number): Uint8Array {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  return text < '2050' ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text))
}

export const name = (commonName: string): Uint8Array => seq(der(0x31, seq(oid('2.5.4.3'), utf8(commonName))))
