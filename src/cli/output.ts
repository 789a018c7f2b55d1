import type { CliIo } from './io.ts'
import { safeText } from './terminal-text.ts'

/** What `--json` prints. Amounts are nanotons as decimal text, because a JSON number would round them. */
export type JsonValue = string | number | bigint | boolean | null | undefined | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [key: string]: JsonValue }

/** One line of JSON; bigints as decimal text. */
export function jsonLine(value: JsonObject): string {
  return `${JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? field.toString() : field))}\n`
}

/** Results on stdout, progress and notes on stderr; with `--json` one object a line on either. */
export class Output {
  readonly #io: Pick<CliIo, 'stdout' | 'stderr'>
  /** Whether `--json` was given. */
  json: boolean

  constructor(io: Pick<CliIo, 'stdout' | 'stderr'>, json: boolean) {
    this.#io = io
    this.json = json
  }

  /** A result: the object with `--json`, else the lines that `text` makes. */
  result(object: JsonObject, text: () => string): void {
    this.#io.stdout.write(this.json ? jsonLine(object) : ensureLine(text()))
  }

  /** An object on stdout, whatever the mode. */
  event(object: JsonObject): void {
    this.#io.stdout.write(jsonLine(object))
  }

  /** Part of a streamed answer. A terminal gets no control characters of a stranger; a pipe gets every byte. */
  stream(text: string): void {
    this.#io.stdout.write(this.#io.stdout.isTTY === true ? safeText(text) : text)
  }

  /** Something to know that is not the result. */
  note(message: string): void {
    this.#io.stderr.write(this.json ? jsonLine({ note: message }) : ensureLine(safeText(message)))
  }
}

function ensureLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}
