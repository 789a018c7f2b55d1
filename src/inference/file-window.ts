import type { FileHandle } from 'node:fs/promises'

const WINDOW_BYTES = 256 * 1024

/** Thrown when a read runs past the end of the file. The caller turns it into its own error. */
export class EndOfFile extends Error {}

/** Reads a file front to back through one small window, whatever its size. Little-endian. */
export class FileWindow {
  readonly sizeBytes: number
  readonly #file: FileHandle
  #window = Buffer.alloc(0)
  #windowStart = 0
  #at = 0

  constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file
    this.sizeBytes = sizeBytes
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#at
  }

  /** @throws {EndOfFile} if fewer than `length` bytes are left */
  async bytes(length: number): Promise<Buffer> {
    const cached = this.cached(length)
    if (cached !== undefined) {
      return cached
    }
    if (length > this.sizeBytes - this.#at) {
      throw new EndOfFile()
    }
    const window = Buffer.allocUnsafe(Math.min(Math.max(length, WINDOW_BYTES), this.sizeBytes - this.#at))
    let filled = 0
    while (filled < window.byteLength) {
      const { bytesRead } = await this.#file.read(window, filled, window.byteLength - filled, this.#at + filled)
      if (bytesRead === 0) {
        throw new EndOfFile()
      }
      filled += bytesRead
    }
    this.#window = window
    this.#windowStart = this.#at
    this.#at += length
    return window.subarray(0, length)
  }

  /** The next bytes if the window holds them already: millions of small reads need no promise. */
  cached(length: number): Buffer | undefined {
    const offset = this.#at - this.#windowStart
    if (offset + length > this.#window.byteLength) {
      return undefined
    }
    this.#at += length
    return this.#window.subarray(offset, offset + length)
  }

  /** @throws {EndOfFile} if fewer than `length` bytes are left */
  skip(length: number): void {
    if (length > this.sizeBytes - this.#at) {
      throw new EndOfFile()
    }
    this.#at += length
    if (this.#at > this.#windowStart + this.#window.byteLength) {
      this.#window = Buffer.alloc(0)
      this.#windowStart = this.#at
    }
  }

  async u32(): Promise<number> {
    return (this.cached(4) ?? (await this.bytes(4))).readUInt32LE()
  }

  /** A count or an offset; anything past 2^53 cannot be in a file and reads as Infinity. */
  async u64(): Promise<number> {
    const value = (this.cached(8) ?? (await this.bytes(8))).readBigUInt64LE()
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value)
  }
}
