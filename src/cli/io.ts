import type { Readable, Writable } from 'node:stream'

/** A terminal can hide what is typed; a pipe or a file cannot. */
export interface InputStream extends Readable {
  isTTY?: boolean
  setRawMode?(on: boolean): unknown
}

export interface OutputStream extends Writable {
  isTTY?: boolean
  columns?: number
}

/** The world a command runs in; tests bring their own. */
export interface CliIo {
  stdin: InputStream
  stdout: OutputStream
  stderr: OutputStream
  env: Readonly<Record<string, string | undefined>>
  /** Absolute path of the user's home folder. */
  userHome: string
}
