import { JOB_EXPOSURE } from './job-terms.ts'

/** What was said about one opening of a channel. */
export interface HeardChannel {
  name: string
  /** Highest amount in a voucher that the payer sent. */
  signed: bigint
  /** The same, of the payer's earlier processes. */
  signedBefore: bigint
  /** Highest amount that the payee said it holds. */
  acknowledged: bigint
  /** What the payee agreed to close at. */
  agreed: Set<bigint>
  /** Cost of every chunk that the payee sent, by job stream of this connection, and of earlier ones. */
  released: Map<number, bigint>
  releasedBefore: bigint
  /** What both sides count as delivered after crashes though it never was: lost to the payer. */
  lost: bigint
  /** What was delivered and no longer counts after crashes: given away by the payee. */
  forgiven: bigint
  /** What the payer said it is certain to have received, while the payee's answer was not heard. */
  claimed: bigint | undefined
  /** The payer works with an old copy of its books, and has not been told what it signed since. */
  payerSetBack: boolean
  running: Set<number>
  /** Most jobs that ever ran at once: what each prepaid and did not use stays credit. */
  peak: number
  /** Most ever prepaid and not delivered. */
  worstPayer: bigint
  /** Most ever delivered and, after one crash, not paid. */
  worstPayee: bigint
}

export function heardChannel(name: string): HeardChannel {
  return {
    name,
    signed: 0n,
    signedBefore: 0n,
    acknowledged: 0n,
    agreed: new Set(),
    released: new Map(),
    releasedBefore: 0n,
    lost: 0n,
    forgiven: 0n,
    claimed: undefined,
    payerSetBack: false,
    running: new Set(),
    peak: 1,
    worstPayer: 0n,
    worstPayee: 0n
  }
}

/** Cost of everything that the payee sent. */
export function releasedOf({ released, releasedBefore }: HeardChannel): bigint {
  let sum = releasedBefore
  for (const cost of released.values()) {
    sum += cost
  }
  return sum
}

/** What both sides count as delivered. */
export function countedOf(channel: HeardChannel): bigint {
  return releasedOf(channel) + channel.lost - channel.forgiven
}

/** Prepaid and neither delivered nor lost before. */
export function prepaidOf(channel: HeardChannel): bigint {
  return channel.signed - releasedOf(channel) - channel.lost
}

/** The most that may be at stake on a side: one window for each job that ran at once. */
export function allowedOf({ peak }: HeardChannel): bigint {
  return BigInt(peak) * JOB_EXPOSURE
}

/** An amount in parts of what may be at stake. */
export function shareOf(amount: bigint, channel: HeardChannel): number {
  return Number((amount * 1_000n) / allowedOf(channel)) / 1_000
}

export function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
