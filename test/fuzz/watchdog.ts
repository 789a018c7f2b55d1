import { Worker } from 'node:worker_threads'

/**
 * Ends the process when one message takes far too long. A loop without end in synchronous code stops every timer of its own
 * thread, so that only another thread can tell.
 */
export class Watchdog {
  readonly #index = new BigInt64Array(new SharedArrayBuffer(8))
  readonly #worker: Worker

  constructor(limitMs: number, seed: number) {
    this.#worker = new Worker(new URL('./watchdog-child.js', import.meta.url), {
      workerData: { index: this.#index, limitMs, seed }
    })
    this.#worker.unref()
  }

  /** Message `index` is about to be fed. */
  begins(index: number): void {
    Atomics.store(this.#index, 0, BigInt(index))
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
