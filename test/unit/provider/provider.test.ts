import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { SIMNET_POLICY, verifyAttestation } from '../../../src/attest/index.ts'
import { CancelledError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { systemRandom } from '../../../src/core/random.ts'
import type { StreamHandler } from '../../../src/mesh/index.ts'
import { Provider, type ProviderComponents } from '../../../src/provider/index.ts'
import { decodeAttestReply, encodeAttestRequest } from '../../../src/wire/attest-exchange.ts'
import { PROTOCOLS } from '../../../src/wire/protocols.ts'
import { type MemoryStream, streamPair } from '../../support/stream-pair.ts'
import { until } from '../../support/until.ts'
import { PEER_ID, verifyPeerSignature } from '../attest/fixtures.ts'
import { FakeAttester, MODEL_DIGEST, PRICES } from './provider-fixture.ts'

const PATIENCE_MS = 4_000

/** A provider whose streams a test opens, and whose enclave makes a quote when the test lets it. */
class Bench {
  readonly attester = new FakeAttester()
  readonly provider: Provider
  readonly #handlers = new Map<string, StreamHandler>()
  #letGo: Array<() => void> = []

  constructor(patienceMs = PATIENCE_MS) {
    const { attester } = this
    const { mesh, enclave, chain, ...rest } = attester.components()
    const standIn = {
      ...rest,
      chain,
      random: systemRandom,
      enclave: {
        ...enclave,
        info: {
          slots: 1,
          model: { digest: MODEL_DIGEST, name: 'm', contextTokens: 1, quantization: 'F32', parameters: 1 },
          devices: [],
          backend: 'cpu',
          tokensPerSecond: 1
        }
      },
      mesh: {
        ...mesh,
        peerId: PEER_ID,
        addresses: () => [],
        handle: async (protocol: string, handler: StreamHandler) => void this.#handlers.set(protocol, handler),
        onAnnouncement: () => () => undefined,
        publishCapacity: async () => undefined,
        publishHeartbeat: async () => ({ recipients: 0 })
      },
      payee: {},
      logger: silentLogger
    } as unknown as ProviderComponents
    this.provider = new Provider(standIn, {
      prices: PRICES,
      minimumDeposit: nanoTon(1n),
      payeeKey: new Uint8Array(32),
      payeeAddress: `0:${'00'.repeat(32)}`,
      windowTokens: 8,
      patienceMs
    })
  }

  /** Starts it; from then on every quote waits for `quote`. */
  async start(): Promise<this> {
    await this.provider.start()
    this.attester.calls = []
    this.attester.before = ({ signal }) =>
      new Promise((resolve, reject) => {
        this.#letGo.push(resolve)
        signal?.addEventListener('abort', () => reject(new CancelledError()), { once: true })
      })
    return this
  }

  /** Opens an attestation stream. */
  open(peerId: string): { stream: MemoryStream; handled: Promise<void> } {
    const handler = this.#handlers.get(PROTOCOLS.attest)
    assert.ok(handler)
    const [stream, far] = streamPair()
    return { stream, handled: handler(far, { id: peerId }) }
  }

  /** Asks over a challenge. */
  async ask(peerId: string, fill = 1): Promise<MemoryStream> {
    const { stream } = this.open(peerId)
    await stream.write(encodeAttestRequest(new Uint8Array(32).fill(fill)))
    await turn()
    return stream
  }

  /** Lets the quote under way be made. */
  async quote(): Promise<void> {
    await until(() => this.#letGo.length === 1)
    this.#letGo.shift()?.()
    await turn()
  }

  async stop(): Promise<void> {
    this.attester.before = async () => undefined
    for (const letGo of this.#letGo.splice(0)) {
      letGo()
    }
    await this.provider.stop()
  }
}

async function answer(stream: MemoryStream) {
  const frame = await stream.read({ signal: AbortSignal.timeout(2_000) })
  assert.ok(frame)
  return decodeAttestReply(frame)
}

async function retryAfterMs(stream: MemoryStream): Promise<number> {
  const reply = await answer(stream)
  assert.ok('retryAfterMs' in reply)
  assert.equal(await stream.read(), undefined)
  return reply.retryAfterMs
}

describe('provider', () => {
  let bench: Bench
  beforeEach(async () => {
    bench = await new Bench().start()
  })
  afterEach(() => bench.stop())

  const expectQuote = async (stream: MemoryStream, fill: number): Promise<void> => {
    const reply = await answer(stream)
    assert.ok('statement' in reply)
    const enclave = await verifyAttestation({
      ...reply,
      challenge: new Uint8Array(32).fill(fill),
      expectedPeerId: PEER_ID,
      verifyPeerSignature,
      policy: SIMNET_POLICY,
      nowMs: bench.attester.clock.nowMs(),
      chainView: { globalId: -3, height: 1_000, beaconHash: 'ee'.repeat(32) }
    })
    assert.equal(enclave.tier, 'simulated')
  }

  it('refuses a peer that floods it with challenges, and serves another one meanwhile', async () => {
    const first = await bench.ask('flood', 1)
    const more = await Promise.all([2, 3, 4, 5, 6].map(fill => bench.ask('flood', fill)))
    const honest = await bench.ask('honest', 7)
    for (const stream of more) {
      assert.equal(await retryAfterMs(stream), 1_000)
    }
    await bench.quote()
    const again = await bench.ask('flood', 8)
    await bench.quote()
    await expectQuote(first, 1)
    await expectQuote(honest, 7)
    await bench.quote()
    await expectQuote(again, 8)
    assert.equal(bench.attester.calls.length, 3)
  })

  it('refuses a peer that asks again and again until its budget has grown', async () => {
    bench.attester.before = async () => undefined
    for (let n = 0; n < 32; n++) {
      await expectQuote(await bench.ask('flood', n), n)
    }
    assert.equal(await retryAfterMs(await bench.ask('flood')), 5_000)
    await expectQuote(await bench.ask('honest', 9), 9)
    assert.equal(bench.attester.calls.length, 33)
    bench.attester.clock.advance(5_000)
    await expectQuote(await bench.ask('flood', 2), 2)
  })

  it('makes no quote for a waiting peer that reset its stream, was lost, or said too much', async () => {
    const first = await bench.ask('a', 1)
    const gone = await Promise.all(['b', 'c', 'd'].map(peer => bench.ask(peer)))
    const last = await bench.ask('e', 2)
    gone[0]?.abort(new CancelledError())
    gone[1]?.lose()
    await gone[2]?.write(encodeAttestRequest())
    await turn()
    await bench.quote()
    await bench.quote()
    await expectQuote(first, 1)
    await expectQuote(last, 2)
    assert.equal(bench.attester.calls.length, 2)
  })

  it('goes on with a quote whose peer is gone before it makes the next one', async () => {
    const gone = await bench.ask('a')
    const next = await bench.ask('b', 2)
    gone.abort(new CancelledError())
    const again = await bench.ask('a')
    assert.equal(await retryAfterMs(again), 1_000)
    assert.equal(bench.attester.calls.length, 1)
    await bench.quote()
    await bench.quote()
    await expectQuote(next, 2)
  })

  it('serves a peer that closed its side behind the request', async () => {
    const stream = await bench.ask('a', 1)
    await stream.close()
    await bench.quote()
    await expectQuote(stream, 1)
  })

  it('makes no quote for a peer whose time is over', async () => {
    await bench.stop()
    bench = await new Bench(30).start()
    await bench.ask('a')
    const late = bench.open('b')
    await late.stream.write(encodeAttestRequest(new Uint8Array(32)))
    await late.handled
    await until(() => bench.attester.calls.length === 1)
    await bench.quote()
    const next = await bench.ask('c', 3)
    await bench.quote()
    await expectQuote(next, 3)
    assert.equal(bench.attester.calls.length, 2)
  })

  it('shows its standing statement to everybody, from memory', async () => {
    const busy = await bench.ask('a', 1)
    for (let n = 0; n < 100; n++) {
      const { stream } = bench.open('a')
      await stream.write(encodeAttestRequest())
      const reply = await answer(stream)
      assert.ok('statement' in reply)
    }
    assert.equal(bench.attester.calls.length, 1)
    await bench.quote()
    await expectQuote(busy, 1)
  })
})
