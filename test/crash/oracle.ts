import { tokenCost } from '../../src/core/price.ts'
import { decodeVoucher, type Voucher } from '../../src/payments/index.ts'
import { decodeChannelReply, decodeChannelRequest } from '../../src/wire/channel-exchange.ts'
import { decodeJobDown, decodeJobUp } from '../../src/wire/job-stream.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import type { ChannelStory } from './chain-books.ts'
import type { ChannelFacts } from './channel-facts.ts'
import { PRICES } from './job-terms.ts'
import {
  allowedOf,
  countedOf,
  type HeardChannel,
  heardChannel,
  maxOf,
  prepaidOf,
  releasedOf,
  shareOf
} from './oracle-channel.ts'
import type { Tap } from './relay.ts'
import type { Role } from './side.ts'
import type { StreamFrame } from './stream-frames.ts'

/** Tells whether a signature under a voucher is the payer's. */
export type VoucherCheck = (voucher: Voucher) => boolean

interface HeardStream {
  protocol: string
  channel: HeardChannel | undefined
  /** Highest amount sent on this stream. */
  signed: bigint
}

/**
 * Judges both sides by what they really sent to each other. It knows nothing of their memory: whatever was heard here
 * must be true after any crash.
 */
export class Oracle implements Tap {
  readonly violations: string[] = []
  /** Jobs that the payer was told to run at once: some may die before a word of them is heard. */
  jobsAtOnce = 0
  readonly #check: VoucherCheck
  readonly #channels = new Map<string, HeardChannel>()
  readonly #streams = new Map<number, HeardStream>()

  constructor(check: VoucherCheck) {
    this.#check = check
  }

  /** The most that either side ever had at stake, in parts of what it may have. */
  get worst(): { payer: number; payee: number } {
    const channels = [...this.#channels.values()]
    return {
      payer: Math.max(0, ...channels.map(c => shareOf(c.worstPayer, c))),
      payee: Math.max(0, ...channels.map(c => shareOf(c.worstPayee, c)))
    }
  }

  /** What is prepaid and not delivered right now, in parts of what may be. */
  get exposure(): number {
    return Math.max(0, ...[...this.#channels.values()].map(c => shareOf(prepaidOf(c), c)))
  }

  frame(from: Role, { type, stream, bytes }: StreamFrame): void {
    if (type === 'open') {
      this.#streams.set(stream, { protocol: Buffer.from(bytes).toString(), channel: undefined, signed: 0n })
      return
    }
    const heard = this.#streams.get(stream)
    if (heard === undefined) {
      return
    }
    if (type !== 'data') {
      this.#streams.delete(stream)
      heard.channel?.running.delete(stream)
    } else if (heard.protocol === PROTOCOLS.job) {
      this.#job(from, stream, heard, bytes)
    } else {
      this.#exchange(from, bytes)
    }
  }

  cut(): void {
    this.#streams.clear()
    for (const channel of this.#channels.values()) {
      channel.running.clear()
      channel.releasedBefore = releasedOf(channel)
      channel.released.clear()
    }
  }

  /** A new process of this role works on: it must know all that was said before, and what it signs must follow on it. */
  restarted(role: Role, facts: readonly ChannelFacts[]): void {
    for (const c of facts) {
      const heard = this.#of(c.channel, c.openedLt)
      if (role === 'payer') {
        heard.signedBefore = heard.signed
        this.#must(
          c.promised >= heard.signed,
          heard,
          `forgot that it signed ${heard.signed}: it knows of ${c.promised}`
        )
      } else {
        const counted = countedOf(heard)
        const { acknowledged, signed } = heard
        this.#must(
          c.promised >= acknowledged,
          heard,
          `acknowledged ${acknowledged} and holds ${c.promised}: a voucher is lost`
        )
        this.#must(c.promised >= counted, heard, `delivered ${counted} and holds ${c.promised}`)
        this.#must(c.promised <= signed, heard, `holds ${c.promised} and ${signed} was signed`)
        // It may have taken the payer's word on what is uncertain, and died before it said so.
        const least = heard.claimed === undefined || heard.claimed > counted ? counted : heard.claimed
        this.#must(c.used >= least, heard, `delivered ${counted} and books ${c.used}`)
      }
    }
    const known = new Set(facts.map(c => `${c.channel}@${c.openedLt}`))
    for (const heard of this.#channels.values()) {
      const said = role === 'payer' ? heard.signed : heard.acknowledged + releasedOf(heard)
      this.#must(known.has(heard.name) || said === 0n, heard, `is gone from the ${role}'s books`)
    }
  }

  /**
   * A side comes back with an old copy of its books. It may not know what was said since, but nothing that it says from
   * now on may be lower.
   */
  setBack(role: Role): void {
    for (const heard of this.#channels.values()) {
      if (role === 'payer') {
        heard.signedBefore = heard.signed
        heard.payerSetBack = true
      }
    }
  }

  /** At the end of all: what was paid on chain. */
  settled({ channel, openedLt, settled, agreed }: ChannelStory): void {
    const heard = this.#of(channel, openedLt)
    this.#must(settled <= heard.signed, heard, `was paid ${settled} and ${heard.signed} was signed`)
    this.#must(settled >= countedOf(heard), heard, `was paid ${settled} and ${countedOf(heard)} was delivered`)
    if (agreed) {
      this.#must(heard.agreed.has(settled), heard, `was paid ${settled}: that was never agreed on`)
    } else {
      this.#must(settled >= heard.acknowledged, heard, `was paid ${settled} and ${heard.acknowledged} was acknowledged`)
    }
  }

  #job(from: Role, stream: number, heard: HeardStream, bytes: Uint8Array): void {
    if (from === 'payer') {
      const message = decodeJobUp(bytes)
      if (message.type === 'open' || message.type === 'voucher') {
        const voucher = decodeVoucher(message.voucher)
        heard.channel = this.#of(voucher.channel, voucher.openedLt)
        heard.channel.running.add(stream)
        this.#must(voucher.cumulative >= heard.signed, heard.channel, `signed less than before on one stream`)
        heard.signed = voucher.cumulative
        this.#voucher(heard.channel, voucher)
      }
      return
    }
    const message = decodeJobDown(bytes)
    const { channel } = heard
    if (message.type === 'chunk' && channel !== undefined) {
      channel.released.set(stream, tokenCost(PRICES, message.usage))
      this.#must(countedOf(channel) <= channel.signed, channel, `delivered ${countedOf(channel)} for ${channel.signed}`)
    }
  }

  #voucher(channel: HeardChannel, voucher: Voucher): void {
    const { cumulative } = voucher
    this.#must(this.#check(voucher), channel, `got a voucher over ${cumulative} that its payer did not sign`)
    this.#must(cumulative >= channel.signedBefore, channel, `signed ${cumulative} after ${channel.signedBefore}`)
    channel.signed = maxOf(channel.signed, cumulative)
    channel.peak = Math.max(channel.peak, channel.running.size, this.jobsAtOnce)
    channel.worstPayer = maxOf(channel.worstPayer, prepaidOf(channel))
    this.#must(
      prepaidOf(channel) <= allowedOf(channel),
      channel,
      `has ${prepaidOf(channel)} prepaid: ${channel.peak} jobs may have ${allowedOf(channel)}`
    )
  }

  #exchange(from: Role, bytes: Uint8Array): void {
    if (from === 'payee') {
      this.#answer(bytes)
      return
    }
    const request = decodeChannelRequest(bytes)
    if (request.type === 'sync' && request.openedLt > 0n) {
      const channel = this.#of(request.channel, request.openedLt)
      const { signed } = channel
      // An old copy is asked about here, and nothing is paid by it.
      const known = request.cumulative >= signed || channel.payerSetBack
      this.#must(known, channel, `claims to have signed ${request.cumulative} after ${signed}`)
      const counted = countedOf(channel)
      this.#must(request.spent <= counted, channel, `claims to have got ${request.spent} and ${counted} was delivered`)
      channel.claimed = request.spent
      if (request.signature.byteLength > 0 && !channel.payerSetBack) {
        this.#voucher(channel, request)
      }
    }
  }

  #answer(bytes: Uint8Array): void {
    const reply = decodeChannelReply(bytes)
    if (reply.type === 'refused') {
      return
    }
    const channel = this.#of(reply.channel, reply.openedLt)
    this.#must(
      reply.cumulative <= channel.signed,
      channel,
      `holds ${reply.cumulative} and ${channel.signed} was signed`
    )
    if (reply.type === 'closed') {
      channel.agreed.add(reply.cumulative)
      return
    }
    channel.acknowledged = maxOf(channel.acknowledged, reply.cumulative)
    channel.claimed = undefined
    channel.payerSetBack = false
    if (channel.running.size === 0) {
      const change = reply.delivered - countedOf(channel)
      this.#must(
        (change < 0n ? -change : change) <= allowedOf(channel),
        channel,
        `counts ${reply.delivered} as delivered after ${countedOf(channel)}: a crash may change ${allowedOf(channel)}`
      )
      channel.lost += change > 0n ? change : 0n
      channel.forgiven += change < 0n ? -change : 0n
      channel.worstPayee = maxOf(channel.worstPayee, -change)
    }
  }

  #of(channel: string, openedLt: bigint): HeardChannel {
    const name = `${channel}@${openedLt}`
    const heard = this.#channels.get(name) ?? heardChannel(name)
    this.#channels.set(name, heard)
    return heard
  }

  #must(holds: boolean, { name }: HeardChannel, what: string): void {
    if (!holds) {
      this.violations.push(`${name.slice(0, 10)}… ${what}`)
    }
  }
}
