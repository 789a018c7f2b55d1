import type { GossipSub, GossipsubMessage, Message } from '@chainsafe/libp2p-gossipsub'
import { TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import type { PeerScore } from '@chainsafe/libp2p-gossipsub/score'
import type { Connection, PeerId } from '@libp2p/interface'
import type { AbortOptions } from '../core/abort.ts'
import { throwIfAborted } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { errorCode, errorMessage, NetworkError, UsageError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { FLOOD_POINTS, REFUSED_MESSAGE_POINTS, TOPIC_SCORE } from './gossip-options.ts'
import { GossipRepair } from './gossip-repair.ts'
import { orCancelled } from './or-cancelled.ts'
import type { PeerStanding } from './peer-standing.ts'
import { TokenBuckets } from './token-bucket.ts'
import type { TrafficTap } from './traffic-tap.ts'

/** `accept` delivers and forwards, `ignore` drops, `reject` drops and counts against the peer that passed it on. */
export type Verdict = 'accept' | 'ignore' | 'reject'

/** How one topic is listened to. */
export interface TopicRules {
  maxBytes: number
  /** Messages of one author: so many at once, so many a second after that. */
  rate: { burst: number; perSecond: number }
  /** Judges a message of `from` within the size and rate limits. Must be quick; a throw counts as `ignore`. */
  validate: (from: string, bytes: Uint8Array) => Verdict
  handle: (from: string, bytes: Uint8Array) => void
}

interface Topic extends TopicRules {
  buckets: TokenBuckets
}

export interface GossipComponents {
  service: GossipSub
  connections: (peer: PeerId) => Connection[]
  clock: Clock
  logger: Logger
  standing: PeerStanding
  self: string
  tap: TrafficTap | undefined
}

/** The mesh's side of GossipSub: topics with limits, verdicts and penalties. */
export class Gossip {
  readonly #components: GossipComponents
  readonly #topics = new Map<string, Topic>()
  readonly #repair: GossipRepair
  #started = false

  constructor(components: GossipComponents) {
    this.#components = components
    this.#repair = new GossipRepair(components.service, components.connections)
    components.service.addEventListener('gossipsub:message', event => this.#deliver(event.detail))
  }

  /** Subscribes to what was listened to before the node started. */
  start(): void {
    this.#started = true
    for (const topic of this.#topics.keys()) {
      this.#components.service.subscribe(topic)
    }
  }

  stop(): void {
    this.#started = false
  }

  /**
   * Listens to a topic until the returned function is called.
   *
   * @throws {UsageError} `TOPIC_TAKEN` if it is listened to already
   */
  listen(name: string, rules: TopicRules): () => void {
    const { clock, service } = this.#components
    if (this.#topics.has(name)) {
      throw new UsageError(
        'TOPIC_TAKEN',
        `${name} is listened to already: stop the first listener before adding another`
      )
    }
    this.#topics.set(name, { ...rules, buckets: new TokenBuckets(clock, rules.rate) })
    topicScores(service)[name] = TOPIC_SCORE
    service.topicValidators.set(name, (source, message) => this.#judge(name, source, message))
    if (this.#started) {
      service.subscribe(name)
    }
    return () => this.#forget(name)
  }

  /** Sends to every connected subscriber. `recipients` may be zero. */
  async publish(topic: string, bytes: Uint8Array, options: AbortOptions = {}): Promise<{ recipients: number }> {
    throwIfAborted(options.signal)
    const { self, service, tap } = this.#components
    await this.#repair.run()
    tap?.({ direction: 'out', kind: 'gossip', protocol: topic, peer: self, bytes })
    const { recipients } = await service.publish(topic, bytes)
    return { recipients: recipients.length }
  }

  /**
   * Waits until a connected peer listens to the topic.
   *
   * @throws {NetworkError} `NO_GOSSIP_PEERS` after `timeoutMs`
   * @throws {CancelledError} `CANCELLED`
   */
  async waitForSubscribers(topic: string, timeoutMs: number, options: AbortOptions = {}): Promise<void> {
    const { service } = this.#components
    if (service.getSubscribers(topic).length > 0) {
      return
    }
    let onChange: (() => void) | undefined
    let timer: NodeJS.Timeout | undefined
    const subscribed = new Promise<void>((resolve, reject) => {
      onChange = () => {
        if (service.getSubscribers(topic).length > 0) {
          resolve()
        }
      }
      service.addEventListener('subscription-change', onChange)
      timer = setTimeout(() => reject(noGossipPeers(topic, `waited ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      await orCancelled(subscribed, options.signal)
    } finally {
      clearTimeout(timer)
      service.removeEventListener('subscription-change', onChange ?? null)
    }
  }

  #forget(name: string): void {
    const { service } = this.#components
    this.#topics.delete(name)
    delete topicScores(service)[name]
    service.topicValidators.delete(name)
    if (this.#started) {
      service.unsubscribe(name)
    }
  }

  #judge(name: string, source: PeerId, message: Message): TopicValidatorResult {
    const verdict = this.#verdict(name, source.toString(), message)
    if (verdict === 'reject') {
      this.#components.standing.penalize(source.toString(), REFUSED_MESSAGE_POINTS)
      this.#components.logger.debug('Refused a gossip message', {
        topic: name,
        from: source.toString(),
        bytes: message.data.byteLength
      })
    }
    return verdict === 'accept'
      ? TopicValidatorResult.Accept
      : verdict === 'reject'
        ? TopicValidatorResult.Reject
        : TopicValidatorResult.Ignore
  }

  #verdict(name: string, source: string, message: Message): Verdict {
    const topic = this.#topics.get(name)
    if (topic === undefined) {
      return 'ignore'
    }
    if (message.type !== 'signed' || message.data.byteLength > topic.maxBytes) {
      return 'reject'
    }
    const from = message.from.toString()
    this.#components.tap?.({ direction: 'in', kind: 'gossip', protocol: name, peer: from, bytes: message.data })
    if (!topic.buckets.take(from)) {
      // Too many is not wrong: it takes a real flood until its author, or who passes it on, is no longer listened to.
      this.#components.standing.penalize(source, FLOOD_POINTS)
      return 'ignore'
    }
    try {
      return topic.validate(from, message.data)
    } catch (err) {
      this.#components.logger.warn('A gossip validator failed', {
        topic: name,
        code: errorCode(err),
        reason: errorMessage(err)
      })
      return 'ignore'
    }
  }

  #deliver({ msg }: GossipsubMessage): void {
    const topic = this.#topics.get(msg.topic)
    if (topic === undefined || msg.type !== 'signed') {
      return
    }
    try {
      topic.handle(msg.from.toString(), msg.data)
    } catch (err) {
      this.#components.logger.error('A gossip handler failed', {
        topic: msg.topic,
        code: errorCode(err),
        reason: errorMessage(err)
      })
    }
  }
}

export function noGossipPeers(topic: string, why: string): NetworkError {
  return new NetworkError(
    'NO_GOSSIP_PEERS',
    `No connected peer listens to ${topic}, ${why}: connect to a provider of this model first`,
    { details: { topic } }
  )
}

/** GossipSub copies its score parameters and offers no way to add a topic: this is the copy it reads. */
function topicScores(service: GossipSub): PeerScore['params']['topics'] {
  return (service as GossipSub & { readonly score: PeerScore }).score.params.topics
}
