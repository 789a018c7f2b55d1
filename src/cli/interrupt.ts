import { setMaxListeners } from 'node:events'
import { CancelledError } from '../core/errors.ts'

/** The parts of `process` that signals need; tests bring their own. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown
  removeListener(signal: NodeJS.Signals, listener: () => void): unknown
  exit(code: number): void
}

const INTERRUPTED_EXIT = 130
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Ends a command in order at the first Ctrl-C, `kill` or closed terminal, and at once at the second. */
export class Interrupt {
  readonly #controller = new AbortController()
  readonly #source: SignalSource
  readonly #onFirst: () => void
  readonly #listener = (): void => this.#receive()

  constructor(source: SignalSource, onFirst: () => void) {
    this.#source = source
    this.#onFirst = onFirst
    // A batch hands the one signal to every job.
    setMaxListeners(0, this.#controller.signal)
    for (const signal of SIGNALS) {
      source.on(signal, this.#listener)
    }
  }

  /** Aborted when the command should end. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Ends the command in order for another reason, e.g. that nobody reads its output any more. */
  abort(reason: Error): void {
    this.#controller.abort(reason)
  }

  /** Gives the signals back to whoever had them. */
  dispose(): void {
    for (const signal of SIGNALS) {
      this.#source.removeListener(signal, this.#listener)
    }
  }

  #receive(): void {
    if (this.signal.aborted) {
      this.#source.exit(INTERRUPTED_EXIT)
      return
    }
    this.#controller.abort(new CancelledError('Interrupted'))
    this.#onFirst()
  }
}
