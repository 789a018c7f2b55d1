import type { AbortOptions } from '../core/abort.ts'
import { PeerError } from '../core/errors.ts'
import type { MeshStream } from '../mesh/index.ts'
import { decodeJobUp, type JobUpMessage } from '../wire/job-stream.ts'

/** Messages that a client may send unasked: its opening, vouchers of parallel jobs, a cancellation. */
const UNASKED = 16

/** What a client may send for each message of ours. It pays once, and perhaps once more after another job. */
const PER_MESSAGE = 4

/** What a client sends on a job stream. However it goes on, it is no more than a few messages for each of ours. */
export class JobInbox {
  readonly #stream: Pick<MeshStream, 'read'>
  #allowed = UNASKED

  constructor(stream: Pick<MeshStream, 'read'>) {
    this.#stream = stream
  }

  /** So many more messages may come than those for which we ask by our own. */
  expect(messages: number): void {
    this.#allowed += messages
  }

  /** We sent something that the client may answer. */
  answered(): void {
    this.#allowed += PER_MESSAGE
  }

  /**
   * The next message; undefined when the client has nothing more to say.
   *
   * @throws {PeerError} `MESSAGES_TOO_MANY`, `MESSAGE_TOO_LARGE`, `MESSAGE_MALFORMED`, and what the stream throws
   */
  async read(options: AbortOptions = {}): Promise<JobUpMessage | undefined> {
    const frame = await this.#stream.read(options)
    if (frame === undefined) {
      return undefined
    }
    if (--this.#allowed < 0) {
      throw new PeerError('MESSAGES_TOO_MANY', 'More messages came on the job stream than its answer can need')
    }
    return decodeJobUp(frame)
  }
}
