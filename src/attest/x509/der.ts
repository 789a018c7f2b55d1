/** Why DER was refused; the parsers of certificates and lists turn it into a coded error. */
export class DerFault extends Error {}

/** Tags this project meets, X.690 §8. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18
} as const

/** The tag `[number]` of a context-specific field, constructed unless told otherwise. */
export function contextTag(number: number, form: 'constructed' | 'primitive' = 'constructed'): number {
  return (form === 'constructed' ? 0xa0 : 0x80) | number
}

/** One element: views into the bytes it was read from, never copies. */
export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
  /** Tag, length and content. */
  readonly raw: Uint8Array
}

/**
 * Reads DER elements one after the other: single-byte tags, definite lengths in their shortest form, nothing past the
 * end. BER forms are refused, so that what was signed has one reading.
 */
export class DerReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  /** The tag of the next element, or undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#offset]
  }

  /** @throws {DerFault} unless one whole element follows */
  readAny(what: string): DerElement {
    const start = this.#offset
    const tag = this.#byte(what)
    if ((tag & 0x1f) === 0x1f) {
      throw new DerFault(`${what} has a tag of several bytes`)
    }
    const length = this.#length(what)
    const from = this.#offset
    if (length > this.#bytes.length - from) {
      throw new DerFault(`${what} says ${length} bytes, ${this.#bytes.length - from} are left`)
    }
    this.#offset = from + length
    return { tag, content: this.#bytes.subarray(from, this.#offset), raw: this.#bytes.subarray(start, this.#offset) }
  }

  /** @throws {DerFault} unless an element of this tag follows */
  read(tag: number, what: string): DerElement {
    if (this.nextTag !== tag) {
      const found = this.nextTag === undefined ? 'nothing' : `tag 0x${this.nextTag.toString(16)}`
      throw new DerFault(`${what} is ${found}: expected tag 0x${tag.toString(16)}`)
    }
    return this.readAny(what)
  }

  /** The next element if it has this tag, else undefined and nothing is read. */
  readIf(tag: number, what: string): DerElement | undefined {
    return this.nextTag === tag ? this.readAny(what) : undefined
  }

  /** Reads a constructed element and its content whole with `read`. */
  nested<T>(tag: number, what: string, read: (content: DerReader) => T): T {
    const content = new DerReader(this.read(tag, what).content)
    const value = read(content)
    content.expectEnd(what)
    return value
  }

  /** @throws {DerFault} if anything is left */
  expectEnd(what: string): void {
    if (!this.atEnd) {
      throw new DerFault(`${what} is followed by ${this.#bytes.length - this.#offset} bytes that do not belong there`)
    }
  }

  #byte(what: string): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) {
      throw new DerFault(`${what} is cut off`)
    }
    this.#offset += 1
    return byte
  }

  // X.690 §10.1: definite form, in the fewest octets.
  #length(what: string): number {
    const first = this.#byte(what)
    if (first < 0x80) {
      return first
    }
    const count = first & 0x7f
    if (count === 0 || count > 3) {
      throw new DerFault(`${what} has a length of ${count === 0 ? 'indefinite form' : `${count} bytes`}`)
    }
    let length = 0
    for (let i = 0; i < count; i++) {
      length = length * 256 + this.#byte(what)
    }
    if (length < (count === 1 ? 0x80 : 256 ** (count - 1))) {
      throw new DerFault(`${what} has a length that is not in its shortest form`)
    }
    return length
  }
}

/** Reads one element of this tag that fills `bytes`, and its content whole. */
export function readWhole<T>(bytes: Uint8Array, tag: number, what: string, read: (content: DerReader) => T): T {
  const reader = new DerReader(bytes)
  const value = reader.nested(tag, what, read)
  reader.expectEnd(what)
  return value
}
