import assert from 'node:assert/strict'
import { ClientChannels } from '../../src/client/channels.ts'
import { CocoonError, errorCode } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import type { Mesh } from '../../src/mesh/index.ts'
import { encodeVoucher } from '../../src/payments/index.ts'
import { ChannelService } from '../../src/provider/channel-service.ts'
import { JobSession } from '../../src/provider/job-session.ts'
import {
  type ChannelReplyMessage,
  decodeChannelReply,
  encodeChannelReply,
  encodeChannelRequest
} from '../../src/wire/channel-exchange.ts'
import { decodeJobDown, encodeJobUp, type JobUpMessage } from '../../src/wire/job-stream.ts'
import { LIMITS } from '../../src/wire/limits.ts'
import { amount } from '../support/payment-pair.ts'
import { WINDOW } from '../unit/provider/job-session-fixture.ts'
import { MODEL_DIGEST, PRICES } from '../unit/provider/provider-fixture.ts'
import { ChannelWorld, SENDERS } from './channel-world.ts'
import { cut, HostileStream, lengthPrefix } from './hostile-stream.ts'
import { mutate } from './mutate.ts'
import type { FuzzRandom } from './random.ts'
import type { FuzzTarget } from './run-fuzz.ts'

/** How many messages between two sweeps of what a real node has on disk. */
const SWEEP = 2_000

/**
 * The channel protocol of both roles, through the node's own framing: requests to the provider's channel service, openings and
 * vouchers on its job streams, and a provider's answers to the client. Messages are damaged, replayed, spliced, too
 * long, cut in any way and of the wrong peer.
 */
export class ChannelTarget implements FuzzTarget {
  readonly #world: ChannelWorld
  readonly #requests: Uint8Array[]
  readonly #jobMessages: Uint8Array[]
  readonly #replies: Uint8Array[]
  readonly #never = new AbortController().signal
  #fed = 0

  private constructor(world: ChannelWorld) {
    this.#world = world
    this.#requests = requests(world)
    this.#jobMessages = jobMessages(world)
    this.#replies = replies(world)
  }

  static async create(): Promise<ChannelTarget> {
    return new ChannelTarget(await new ChannelWorld().setUp())
  }

  fingerprint(): string {
    return this.#world.fingerprint()
  }

  async feed(random: FuzzRandom): Promise<string> {
    if (++this.#fed % SWEEP === 0) {
      this.#world.forgetJobs()
    }
    const surface = random.below(10)
    if (surface < 4) {
      return `request ${await this.#request(random)}`
    }
    return surface < 7 ? `job ${await this.#job(random)}` : `reply ${await this.#reply(random)}`
  }

  async #request(random: FuzzRandom): Promise<string> {
    const stream = hostile(random, this.#requests, LIMITS.channelFrameBytes)
    const service = new ChannelService({ logger: silentLogger, payee: this.#world.bench.payee })
    const code = await outcomeOf(service.serve(stream, random.pick(SENDERS), this.#never))
    const answer = stream.sent[0]
    if (answer === undefined) {
      return code
    }
    const reply = decodeChannelReply(answer)
    assert.notEqual(reply.type, 'closed', 'a hostile message made the provider agree to a close')
    return reply.type === 'refused' ? ours(reply.code) : reply.type
  }

  async #job(random: FuzzRandom): Promise<string> {
    const { bench } = this.#world
    const stream = hostile(random, this.#jobMessages, LIMITS.jobFrameBytes)
    const { slots, announced, enclave, payee, attester } = bench
    const components = { logger: silentLogger, clock: attester.clock, slots, announced, enclave, payee }
    const init = { modelDigest: MODEL_DIGEST, prices: PRICES, windowTokens: WINDOW, patienceMs: 5_000 }
    await new JobSession(components, init, stream, random.pick(SENDERS)).serve(this.#never)
    assert.equal(slots.free, slots.total, 'a place was not given back')
    const last = stream.sent.at(-1)
    if (last === undefined) {
      return 'nothing'
    }
    const message = decodeJobDown(last)
    return message.type === 'failed' ? ours(message.code) : message.type
  }

  async #reply(random: FuzzRandom): Promise<string> {
    const { payer } = this.#world.bench
    const stream = hostile(random, this.#replies, LIMITS.channelFrameBytes)
    const mesh = { open: async () => stream } as unknown as Mesh
    const channels = new ClientChannels({ mesh, payer, logger: silentLogger })
    const closing = random.below(2) === 0
    const channel = closing ? this.#world.ending : this.#world.busy
    const known = payer.list().find(c => c.channel === channel)
    assert.ok(known)
    return outcomeOf(closing ? channels.close(channel) : channels.sync(known))
  }
}

/** One to four messages, damaged or as they were, in a stream cut anywhere. Every other one begins with an intact message. */
function hostile(random: FuzzRandom, corpus: readonly Uint8Array[], maxFrameBytes: number): HostileStream {
  const parts: Uint8Array[] = []
  for (let count = 1 + random.below(4); count > 0; count--) {
    const intact = random.below(parts.length === 0 ? 2 : 6) === 0
    const bytes = intact ? random.pick(corpus) : mutate(random, corpus).bytes
    // Now and then the length lies.
    const length = random.below(20) === 0 ? random.below(2 ** 28) : bytes.byteLength
    parts.push(lengthPrefix(length), bytes)
  }
  return new HostileStream(cut(random, Buffer.concat(parts), [3, 40, 5_000]), maxFrameBytes)
}

/** The code of a refusal. Anything that is not an error of ours is a bug that a stranger found. */
async function outcomeOf(task: Promise<unknown>): Promise<string> {
  try {
    await task
    return 'taken'
  } catch (err) {
    if (!(err instanceof CocoonError) || err.errorClass === 'internal') {
      throw err
    }
    return errorCode(err) ?? 'unknown'
  }
}

/** The provider hides its own troubles from peers behind one code: here it may have none. */
function ours(code: string): string {
  assert.notEqual(code, 'PROVIDER_FAILED', 'a hostile message made the provider fail')
  return code
}

function requests({ busy, idle, ending, spent, stale }: ChannelWorld): Uint8Array[] {
  // The client's own honest close of the busy channel is refused while its job runs.
  return [busy, idle, ending, `0:${'77'.repeat(32)}`].flatMap(channel => [
    ...[...spent, stale].map(({ openedLt, cumulative, signature }) =>
      encodeChannelRequest({ type: 'sync', channel, openedLt, cumulative, signature, spent: amount(1_000) })
    ),
    encodeChannelRequest({ type: 'close', channel })
  ])
}

function jobMessages(world: ChannelWorld): Uint8Array[] {
  const busyTerms = world.bench.terms(world.busy)
  const [first, highest, idle] = world.spent
  const [lower, last] = world.quietVouchers
  assert.ok(first && highest && idle && lower && last)
  const messages: JobUpMessage[] = [
    world.opening(busyTerms, first, 1),
    world.opening(busyTerms, highest, 2),
    world.opening(world.idleTerms, idle, 3),
    world.opening(world.idleTerms, highest, 4),
    world.opening(busyTerms, world.stale, 5),
    world.opening(world.quietTerms, lower, 6),
    world.opening(world.quietTerms, last, 7),
    ...[...world.spent, ...world.quietVouchers, world.stale, { ...highest, cumulative: amount(900) }].map(voucher => ({
      type: 'voucher' as const,
      voucher: encodeVoucher(voucher)
    })),
    { type: 'part', bytes: new Uint8Array(100) },
    { type: 'cancel', reason: 'enough' }
  ]
  return messages.map(encodeJobUp)
}

function replies({ busy, ending, spent, stale, bench }: ChannelWorld): Uint8Array[] {
  const highest = spent[1]
  assert.ok(highest)
  const { openedLt } = bench.info(ending)
  const held = {
    type: 'state' as const,
    channel: busy,
    openedLt: highest.openedLt,
    deposit: amount(10 ** 9),
    settled: amount(0),
    closing: false
  }
  const messages: ChannelReplyMessage[] = [
    { type: 'refused', code: 'CHANNEL_UNKNOWN', message: 'not known here' },
    { ...held, ...signed(highest), delivered: amount(1_000_000) },
    { ...held, ...signed(highest), delivered: amount(0), closing: true },
    { ...held, ...signed(stale), openedLt: stale.openedLt, delivered: amount(900) },
    ...[91, 1_000].map(cumulative => ({
      ...held,
      cumulative: amount(cumulative),
      signature: highest.signature,
      delivered: amount(90)
    })),
    ...[0, 1, 90, 1_000, 10 ** 9].map(cumulative => ({
      type: 'closed' as const,
      channel: ending,
      openedLt,
      cumulative: amount(cumulative),
      validUntil: 4_000_000_000,
      payeeSignature: highest.signature
    }))
  ]
  return messages.map(encodeChannelReply)
}

function signed({ cumulative, signature }: { cumulative: ReturnType<typeof amount>; signature: Uint8Array }) {
  return { cumulative, signature }
}
