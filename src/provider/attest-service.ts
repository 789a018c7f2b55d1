import { linkSignals, withTimeLimit } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { PeerError } from '../core/errors.ts'
import type { MeshStream } from '../mesh/index.ts'
import {
  type AttestRefusal,
  type AttestReply,
  decodeAttestRequest,
  encodeAttestReply
} from '../wire/attest-exchange.ts'
import { ChallengeDesk } from './challenge-desk.ts'
import type { EnclaveIdentity } from './enclave-identity.ts'
import { QUOTE_LIMIT_MS } from './quote-budgets.ts'

export interface AttestServiceComponents {
  clock: Clock
  identity: Pick<EnclaveIdentity, 'current' | 'challenged'>
}

export interface AttestServiceInit {
  /** How long a whole exchange may take, in milliseconds. */
  patienceMs: number
}

/** Shows the enclave to whoever asks: the standing evidence from memory, and evidence over a challenge in turn. */
export class AttestService {
  readonly #identity: AttestServiceComponents['identity']
  readonly #desk: ChallengeDesk
  readonly #patienceMs: number

  constructor({ clock, identity }: AttestServiceComponents, { patienceMs }: AttestServiceInit) {
    this.#identity = identity
    this.#desk = new ChallengeDesk(clock)
    this.#patienceMs = patienceMs
  }

  /** Answers one request. */
  async serve(stream: MeshStream, peerId: string, stop: AbortSignal): Promise<void> {
    await withTimeLimit(this.#patienceMs, stop, async signal => {
      const frame = await stream.read({ signal })
      if (frame === undefined) {
        return
      }
      const { challenge } = decodeAttestRequest(frame)
      const reply =
        challenge.byteLength === 0
          ? this.#identity.current
          : await whileAsked(stream, signal, asked => this.#challenged(peerId, challenge, stop, asked))
      await stream.write(encodeAttestReply(reply))
      await stream.close({ signal })
    })
  }

  #challenged(
    peerId: string,
    challenge: Uint8Array,
    stop: AbortSignal,
    asked: AbortSignal
  ): Promise<AttestReply | AttestRefusal> {
    // One that hangs must not stop the desk.
    const make = (): Promise<AttestReply> =>
      withTimeLimit(QUOTE_LIMIT_MS, stop, signal => this.#identity.challenged(challenge, { signal }))
    return this.#desk.take(peerId, make, { signal: asked })
  }
}

/** Runs `task` with a signal that also fires when the peer resets the stream, or says more than its request. */
async function whileAsked<T>(
  stream: MeshStream,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const gone = new AbortController()
  const answered = new AbortController()
  const asked = linkSignals(signal, gone.signal)
  const watched = stream.read({ signal: answered.signal }).then(
    // A clean end is a peer that has said everything and still listens.
    frame => frame && gone.abort(new PeerError('MESSAGE_UNEXPECTED', 'More than one message came for an attestation')),
    (err: unknown) => gone.abort(err)
  )
  try {
    return await task(asked.signal)
  } finally {
    answered.abort()
    await watched
    asked.unlink()
  }
}
