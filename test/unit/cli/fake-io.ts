import { PassThrough, Writable } from 'node:stream'
import type { InputStream, OutputStream } from '../../../src/cli/io.ts'

/** Keeps what is written to it. */
export class Captured extends Writable implements OutputStream {
  isTTY?: boolean
  text = ''

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: (err?: Error) => void): void {
    this.text += chunk.toString()
    done()
  }

  /** What was written, as one object a line. */
  objects(): Array<Record<string, unknown>> {
    return this.text
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Record<string, unknown>)
  }
}

/** A keyboard: notes whether what is typed is echoed. */
export class Keyboard extends PassThrough implements InputStream {
  isTTY = true
  raw = false
  readonly typedRaw: boolean[] = []

  setRawMode(on: boolean): void {
    this.raw = on
  }

  /** Types once the program listens. */
  async type(keys: string): Promise<void> {
    while (this.listenerCount('data') === 0) {
      await new Promise(resolve => setImmediate(resolve))
    }
    this.typedRaw.push(this.raw)
    this.write(keys)
  }
}

export interface FakeIo {
  stdin: InputStream
  stdout: Captured
  stderr: Captured
  env: Record<string, string>
  userHome: string
}

export function fakeIo(fields: Partial<FakeIo> = {}): FakeIo {
  const stdin = new PassThrough()
  stdin.end()
  return { stdin, stdout: new Captured(), stderr: new Captured(), env: {}, userHome: '/nobody', ...fields }
}
