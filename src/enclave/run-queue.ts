import type { CocoonError } from '../core/errors.ts'
import type { EnclaveEvent, EnclaveRun } from './enclave.ts'

export interface RunQueueInit {
  grant(totalCompletionTokens: number): void
  cancel(): void
  /** The consumer broke off or read the last event. */
  onDone(): void
}

/** The host's end of one job: events wait here until they are read. */
export class RunQueue implements EnclaveRun {
  readonly #init: RunQueueInit
  #events: EnclaveEvent[] = []
  /** Thrown once all events were read. */
  #fault: CocoonError | undefined
  #abandoned = false
  #ended = false
  #wake: (() => void) | undefined

  constructor(init: RunQueueInit) {
    this.#init = init
  }

  grant(totalCompletionTokens: number): void {
    if (!this.#ended) {
      this.#init.grant(totalCompletionTokens)
    }
  }

  cancel(): void {
    if (!this.#ended) {
      this.#init.cancel()
    }
  }

  /** Takes what the enclave sent. */
  push(event: EnclaveEvent): void {
    this.#ended ||= event.type === 'ended'
    this.#events.push(event)
    this.#wakeUp()
  }

  /** Makes the iteration throw after the events that came before. */
  fail(fault: CocoonError): void {
    this.#ended = true
    this.#fault ??= fault
    this.#wakeUp()
  }

  /** Cancels, and makes the iteration throw at once. */
  abandon(fault: CocoonError): void {
    this.cancel()
    this.#abandoned = true
    this.fail(fault)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EnclaveEvent> {
    try {
      for (;;) {
        const event = this.#abandoned ? undefined : this.#events.shift()
        if (event === undefined) {
          if (this.#fault !== undefined) {
            throw this.#fault
          }
          await new Promise<void>(wake => {
            this.#wake = wake
          })
          continue
        }
        yield event
        if (event.type === 'ended') {
          return
        }
      }
    } finally {
      this.cancel()
      this.#init.onDone()
    }
  }

  #wakeUp(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}
