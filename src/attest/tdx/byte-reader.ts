/** Why a binary structure was refused; its parser turns it into a coded error. */
export class LayoutFault extends Error {}

/** Reads little-endian fields one after the other; views, never copies, and never past the end. */
export class ByteReader {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  /** @throws {LayoutFault} unless that many bytes are left */
  bytes(length: number, what: string): Uint8Array {
    if (length > this.left) {
      throw new LayoutFault(`${what} has ${length} bytes, ${this.left} are left`)
    }
    this.#offset += length
    return this.#bytes.subarray(this.#offset - length, this.#offset)
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#skip(1, what))
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#skip(2, what), true)
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#skip(4, what), true)
  }

  /** What is left, unread. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#offset)
  }

  /** @throws {LayoutFault} if anything is left */
  expectEnd(what: string): void {
    if (this.left > 0) {
      throw new LayoutFault(`${what} is followed by ${this.left} bytes that do not belong there`)
    }
  }

  #skip(length: number, what: string): number {
    const from = this.#offset
    this.bytes(length, what)
    return from
  }
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte === 0)
}
