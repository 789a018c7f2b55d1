import { CHANNEL_EXIT_CODES as EXIT } from '../../src/ton/channel-contract.ts'
import type { ChainPrices } from './channel-stateful-prices.ts'
import type {
  Body,
  Channel,
  Message,
  NetworkFacts,
  Outcome,
  Party,
  SignedTotal,
  Transfer
} from './channel-stateful-types.ts'
import { contractConstant } from './contract-source.ts'

/** Exit code of an external message that is no claim. */
const WRONG_TAG = 63
/** Exit code of a message whose value did not buy enough gas. */
export const OUT_OF_GAS = -14

/** What each handler may burn, and how many messages of one cell it pays for: an external claim its own too. */
const BOUNDS = {
  fund: ['GAS_FUND', 1n],
  claim: ['GAS_CLAIM', 2n],
  start: ['GAS_START_CLOSE', 1n],
  finish: ['GAS_FINISH', 2n],
  coop: ['GAS_COOP_CLOSE', 2n],
  external: ['GAS_EXTERNAL_CLAIM', 2n]
} as const

/** A message that has got as far as the contract's code. */
interface Visit {
  channel: Channel
  from: Party
  /** All that the account has, the message's value included, before gas. */
  whole: bigint
  value: bigint
  facts: NetworkFacts
}

/** What a handler does once its checks have passed. */
interface Plan {
  channel: Channel
  /** Undefined if the money for them is not there: then the action phase fails and all is as before. */
  transfers: Transfer[] | undefined
}

/** The channel contract as `contracts/README.md` specifies it: no I/O, no clock. */
export class ChannelModel {
  readonly #prices: ChainPrices
  readonly #globalId: number
  readonly #challengeSeconds: number

  constructor(prices: ChainPrices, terms: { globalId: number; challengeSeconds: number }) {
    this.#prices = prices
    this.#globalId = terms.globalId
    this.#challengeSeconds = terms.challengeSeconds
  }

  /** What storage costs for a year and the challenge period: a fund leaves that much beside what is locked. */
  get reserve(): bigint {
    return this.#prices.storage(
      contractConstant('RESERVE_SECONDS') + BigInt(this.#challengeSeconds),
      contractConstant('ACCOUNT_BITS'),
      contractConstant('ACCOUNT_CELLS')
    )
  }

  /** Gas and transfers that a handler wants paid before it does anything. */
  bound(handler: keyof typeof BOUNDS): bigint {
    return this.gasBound(handler) + BOUNDS[handler][1] * this.#prices.transfer()
  }

  /** With less than this a handler may run out of gas before it says what is wrong. */
  gasBound(handler: Body['op'] | 'external'): bigint {
    const [gas] = handler === 'plain' || handler === 'unknown' ? BOUNDS.start : BOUNDS[handler]
    return this.#prices.gas(contractConstant(gas))
  }

  /** Least value with which a fund over `amount` opens or tops up `channel`. */
  fundValue(channel: Channel, amount: bigint): bigint {
    return channel.deposit + amount - channel.settled + this.reserve + this.bound('fund') - channel.balance
  }

  /** A payout has to be above this to be claimed by an external message. */
  externalBound(): bigint {
    return this.bound('external')
  }

  /** What `message` does to `before`. */
  predict(before: Channel, message: Message, facts: NetworkFacts): Outcome {
    return message.from === 'external'
      ? this.#predictExternal(before, message, facts)
      : this.#predictInternal(before, message.from, message, facts)
  }

  #predictInternal(before: Channel, from: Party, message: Message, facts: NetworkFacts): Outcome {
    const whole = before.balance + message.value - facts.storageFee
    // Without a bounce flag the value arrives before storage is paid, and may itself pay for it.
    const value = min(message.value, whole)
    const found = this.#found(before, facts)
    if (!hasCode(before, found, message.init) || value < this.#prices.leastForGas) {
      return this.#sendBack('skipped', 0, { channel: found, from, whole, value, facts }, message.bounce, 0n)
    }
    const channel: Channel = { ...found, account: 'active' }
    const visit: Visit = { channel, from, whole, value, facts }
    if (message.bounced && !facts.outOfGas) {
      return { result: 'done', exitCode: 0, channel: { ...channel, balance: whole - facts.gasFee }, transfers: [] }
    }
    const plan = facts.outOfGas ? OUT_OF_GAS : this.#handle(visit, message.body)
    if (typeof plan === 'number') {
      return this.#sendBack('refused', plan, visit, message.bounce, facts.gasFee)
    }
    return plan.transfers === undefined
      ? this.#sendBack('failed', 0, visit, message.bounce, facts.gasFee + facts.actionFine)
      : { result: 'done', exitCode: 0, channel: plan.channel, transfers: plan.transfers }
  }

  /** The account after it paid for storage, if it could. */
  #found(before: Channel, facts: NetworkFacts): Channel {
    // A frozen account whose state is the one that its address names is simply none.
    return facts.frozen ? { ...before, account: before.state === 'new' ? 'missing' : 'frozen' } : before
  }

  /** All is as before. What fees left of the value goes back if the message may bounce and the rest pays for that. */
  #sendBack(result: Outcome['result'], exitCode: number, visit: Visit, bounce: boolean, fees: bigint): Outcome {
    const { channel, from, whole, value } = visit
    const fee = this.#fee(from)
    const back = value - fees - fee
    return bounce && back >= 0n
      ? {
          result,
          exitCode,
          channel: { ...channel, balance: whole - value },
          transfers: [{ to: from, value: back, bounced: true }]
        }
      : { result, exitCode, channel: { ...channel, balance: whole - fees }, transfers: [] }
  }

  #handle(visit: Visit, body: Body): Plan | number {
    switch (body.op) {
      case 'fund':
        return this.#fund(visit, body.amount)
      case 'claim':
        return this.#claim(visit, body.total)
      case 'start':
        return this.#start(visit)
      case 'finish':
        return this.#finish(visit)
      case 'coop':
        return this.#coop(visit, body.total)
      case 'plain':
      case 'unknown':
        return EXIT.unknownMessage
    }
  }

  #fund({ channel, from, whole, facts }: Visit, amount: bigint): Plan | number {
    const held = channel.deposit + amount - channel.settled + this.reserve
    return (
      firstOf([
        [from !== 'payer', EXIT.notPayer],
        [channel.state === 'closing', EXIT.alreadyClosing],
        [amount === 0n, EXIT.zeroDeposit],
        [whole < held + this.bound('fund'), EXIT.notEnoughValue]
      ]) ?? {
        channel: {
          ...channel,
          state: 'open',
          deposit: channel.deposit + amount,
          openedLt: channel.state === 'new' ? facts.lt : channel.openedLt,
          balance: held
        },
        transfers: this.#spend(whole - facts.gasFee - held, [], from)
      }
    )
  }

  #claim({ channel, from, whole, value, facts }: Visit, total: SignedTotal): Plan | number {
    const own = whole - value
    // Storage may have left less than is owed: then that much is paid and settled.
    const due = min(total.cumulative - channel.settled, own)
    return (
      firstOf([
        [due <= 0n, EXIT.nothingToClaim],
        [total.cumulative > channel.deposit, EXIT.overDeposit],
        [!this.#isSigned(channel, total, 'voucher'), EXIT.badPayerSignature],
        [value < this.bound('claim'), EXIT.notEnoughValue]
      ]) ?? {
        channel: { ...channel, settled: channel.settled + due, balance: own - due },
        transfers:
          from === 'payee'
            ? this.#spend(due + value - facts.gasFee, [], from)
            : this.#spend(due + value - facts.gasFee, [['payee', due]], from)
      }
    )
  }

  #start({ channel, from, whole, value, facts }: Visit): Plan | number {
    return (
      firstOf([
        [from !== 'payer', EXIT.notPayer],
        [channel.state === 'new', EXIT.notOpen],
        [channel.state === 'closing', EXIT.alreadyClosing],
        [value < this.bound('start'), EXIT.notEnoughValue]
      ]) ?? {
        channel: {
          ...channel,
          state: 'closing',
          closeAt: facts.now + this.#challengeSeconds,
          balance: whole - value
        },
        transfers: this.#spend(value - facts.gasFee, [], from)
      }
    )
  }

  #finish(visit: Visit): Plan | number {
    const { channel, value, facts } = visit
    return (
      firstOf([
        [channel.state !== 'closing', EXIT.notClosing],
        [facts.now < channel.closeAt, EXIT.tooEarly],
        [value < this.bound('finish'), EXIT.notEnoughValue]
      ]) ?? this.#end(visit, 0n)
    )
  }

  #coop(visit: Visit, total: SignedTotal): Plan | number {
    const { channel, from, value, facts } = visit
    const due = total.cumulative - channel.settled
    return (
      firstOf([
        [channel.state === 'new', EXIT.notOpen],
        [due < 0n, EXIT.closeAmount],
        [total.cumulative > channel.deposit, EXIT.overDeposit],
        [facts.now > total.validUntil, EXIT.expired],
        [due > 0n && from !== 'payer', EXIT.notPayer],
        [!this.#isSigned(channel, total, 'statement'), EXIT.badPayeeSignature],
        [value < this.bound('coop'), EXIT.notEnoughValue]
      ]) ?? this.#end(visit, due)
    )
  }

  /** The payee gets `due`, the payer the rest of the channel's own money, the sender the rest of its message. */
  #end({ from, whole, value, facts }: Visit, due: bigint): Plan {
    const payments: [Party, bigint][] = []
    if (due > 0n) {
      payments.push(['payee', due])
    }
    if (from !== 'payer') {
      payments.push(['payer', whole - value])
    }
    return { channel: MISSING, transfers: this.#spend(whole - facts.gasFee, payments, from) }
  }

  #predictExternal(before: Channel, message: Message, facts: NetworkFacts): Outcome {
    const { body } = message
    const refuse = (exitCode: number): Outcome => ({
      result: 'not accepted',
      exitCode,
      channel: before,
      transfers: []
    })
    const own = before.balance - facts.storageFee
    const found = this.#found(before, facts)
    // From outside no StateInit is let in that neither the address names nor a frozen account needs.
    const fits = message.init !== 'present' || found.account === 'frozen'
    if (!fits || !hasCode(before, found, message.init) || own < facts.importFee) {
      return refuse(0)
    }
    if (facts.outOfGas || body.op !== 'claim') {
      return refuse(facts.outOfGas ? OUT_OF_GAS : WRONG_TAG)
    }
    const due = min(body.total.cumulative - before.settled, own)
    const code = firstOf([
      [message.init !== 'none', EXIT.padded],
      [due <= 0n, EXIT.nothingToClaim],
      [body.total.cumulative > before.deposit, EXIT.overDeposit],
      [due <= this.externalBound(), EXIT.payoutTooSmall],
      [!this.#isSigned(before, body.total, 'voucher'), EXIT.badPayerSignature]
    ])
    if (code !== undefined) {
      return refuse(code)
    }
    const channel = { ...before, settled: before.settled + due, balance: own - due }
    const transfers = this.#spend(due - facts.importFee - facts.gasFee, [], 'payee')
    // An accepted message whose actions fail would burn gas again and again: it may not come to that.
    return { result: transfers === undefined ? 'failed' : 'done', exitCode: 0, channel, transfers: transfers ?? [] }
  }

  /** Whether whoever has to signed this total for this network, channel, opening and purpose. */
  #isSigned(channel: Channel, total: SignedTotal, purpose: SignedTotal['purpose']): boolean {
    return (
      total.signer === (purpose === 'voucher' ? 'payer' : 'payee') &&
      total.purpose === purpose &&
      total.globalId === this.#globalId &&
      total.channel === 'this' &&
      total.openedLt === channel.openedLt &&
      !total.altered
    )
  }

  /** Pays `payments` and their fees out of `money`, and the rest to `last`. Undefined if it does not suffice. */
  #spend(money: bigint, payments: readonly (readonly [Party, bigint])[], last: Party): Transfer[] | undefined {
    const spent = payments.reduce((sum, [to, value]) => sum + value + this.#fee(to), 0n)
    const rest = money - spent - this.#fee(last)
    return rest < 0n
      ? undefined
      : [...payments, [last, rest] as const].map(([to, value]) => ({ to, value, bounced: false }))
  }

  #fee(to: Party): bigint {
    return this.#prices.transfer(to === 'masterchain')
  }
}

/** No account: neither code nor money. */
export const MISSING: Channel = {
  account: 'missing',
  state: 'new',
  deposit: 0n,
  settled: 0n,
  closeAt: 0,
  openedLt: 0n,
  balance: 0n
}

/** Whether there is code to run, `found` after storage was paid. What freezes just now cannot be thawed at once. */
function hasCode(before: Channel, found: Channel, init: Message['init']): boolean {
  if (before.account === 'active') {
    return found.account === 'active'
  }
  switch (found.account) {
    case 'active':
      return true
    case 'missing':
      return init === 'first'
    case 'frozen':
      return init === 'present'
  }
}

function firstOf(refusals: readonly (readonly [boolean, number])[]): number | undefined {
  return refusals.find(([applies]) => applies)?.[1]
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
