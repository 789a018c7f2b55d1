import { createReadStream } from 'node:fs'
import type { AbortOptions } from '../../core/abort.ts'

/** A line of a file. */
export interface TextLine {
  /** From 1. */
  number: number
  /** Without its line feed; undefined where it is longer than allowed, or is no UTF-8. */
  text: string | undefined
  fault: 'too-long' | 'not-utf-8' | undefined
  /** Byte offset of its first byte. */
  start: number
  /** Whether a line feed ended it: the last line of a file that was being written may lack one. */
  terminated: boolean
}

const LINE_FEED = 0x0a

/** Reads a file line by line; a line beyond `maxBytes` is not kept in memory. */
export async function* readTextLines(
  path: string,
  maxBytes: number,
  options: AbortOptions = {}
): AsyncGenerator<TextLine> {
  const pending = new PendingLine(maxBytes)
  let number = 0
  let start = 0
  for await (const chunk of createReadStream(path, options) as AsyncIterable<Buffer>) {
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      pending.add(chunk.subarray(from, end))
      yield { number: ++number, start, terminated: true, ...pending.read() }
      start += pending.sizeBytes + 1
      pending.clear()
      from = end + 1
    }
    pending.add(chunk.subarray(from))
  }
  if (pending.sizeBytes > 0) {
    yield { number: ++number, start, terminated: false, ...pending.read() }
  }
}

class PendingLine {
  readonly #maxBytes: number
  #parts: Buffer[] = []
  sizeBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(bytes: Buffer): void {
    this.sizeBytes += bytes.byteLength
    if (this.sizeBytes <= this.#maxBytes) {
      this.#parts.push(bytes)
    } else {
      this.#parts = []
    }
  }

  read(): Pick<TextLine, 'text' | 'fault'> {
    if (this.sizeBytes > this.#maxBytes) {
      return { text: undefined, fault: 'too-long' }
    }
    try {
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(this.#parts)), fault: undefined }
    } catch {
      return { text: undefined, fault: 'not-utf-8' }
    }
  }

  clear(): void {
    this.#parts = []
    this.sizeBytes = 0
  }
}
