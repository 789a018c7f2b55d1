import { setTimeout as delay } from 'node:timers/promises'
import { sha256 } from '../../src/core/bytes.ts'
import type { EnclaveEvent, EnclaveJob, EnclaveRun } from '../../src/enclave/index.ts'
import { ResponseKey, responseSealer } from '../../src/seal/index.ts'
import { encodeAnswerEvent } from '../../src/wire/answer-event.ts'
import { PROMPT_TOKENS, takesItsTime } from './job-terms.ts'

/** Between two chunks, and before the first: a model reads the prompt while the jobs beside it are opened. */
const CHUNK_MS = 4
const FIRST_CHUNK_MS = 60

/** Both ends of a job derive the answer's key from its id: nothing here is secret. */
export function jobResponseKey(jobId: Uint8Array): ResponseKey {
  const first = sha256('crash response', jobId)
  return new ResponseKey(Buffer.concat([first, sha256(first)]).subarray(0, 44))
}

/** Answers every job with chunks of random sizes, never beyond what was granted. */
export class ScriptedEnclave {
  run(job: EnclaveJob): EnclaveRun {
    return new ScriptedRun(job)
  }
}

class ScriptedRun implements EnclaveRun {
  readonly #job: EnclaveJob
  #granted: number
  #cancelled = false
  #wake: () => void = () => undefined

  constructor(job: EnclaveJob) {
    this.#job = job
    this.#granted = job.grantedTokens
  }

  grant(total: number): void {
    this.#granted = Math.max(this.#granted, total)
    this.#wake()
  }

  cancel(): void {
    this.#cancelled = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EnclaveEvent> {
    const { jobId, maxCompletionTokens } = this.#job
    const sealer = responseSealer(jobResponseKey(jobId), jobId)
    const seal = (bytes: Uint8Array, final: boolean): Uint8Array => sealer.seal(bytes, final)[0] ?? new Uint8Array()
    const counts = { promptTokens: PROMPT_TOKENS, cachedPromptTokens: 0 }
    let completionTokens = 0
    while (!this.#cancelled && completionTokens < maxCompletionTokens) {
      await this.#room(completionTokens)
      if (this.#cancelled) {
        break
      }
      await (takesItsTime(maxCompletionTokens) ? delay(completionTokens === 0 ? FIRST_CHUNK_MS : CHUNK_MS) : undefined)
      const most = Math.min(this.#granted, maxCompletionTokens) - completionTokens
      completionTokens += 1 + Math.floor(Math.random() * Math.min(most, 4))
      const text = encodeAnswerEvent({ type: 'text', text: Uint8Array.of(97) })
      yield { type: 'chunk', sealed: seal(text, false), ...counts, completionTokens }
    }
    const end = encodeAnswerEvent({ type: 'end', finishReason: 'stop' })
    yield { type: 'chunk', sealed: seal(end, true), ...counts, completionTokens }
    yield { type: 'ended', receipt: new Uint8Array(), receiptSignature: new Uint8Array(64), finishReason: 'stop' }
  }

  async #room(made: number): Promise<void> {
    while (!this.#cancelled && made >= this.#granted) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}
