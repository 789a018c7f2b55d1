import assert from 'node:assert/strict'
import type { Transaction } from '@ton/core'
import { networkFees } from './channel-fixture.ts'
import type { Channel, Message, NetworkFacts, Outcome, Party } from './channel-stateful-types.ts'

/** One message and what came of it. */
export interface Event {
  before: Channel
  message: Message
  outcome: Outcome
  facts: NetworkFacts
  /** Whether the address had an opening that has ended. */
  reopened: boolean
  /** Undefined if the message was not let in. */
  tx: Transaction | undefined
}

/** What holds after every message, said without the model: who gained what, and what only grows. */
export class Invariants {
  readonly #reserve: bigint
  /** Storage paid since the last fund. */
  #storage = 0n
  /** Paid to the payee for vouchers of the present opening. */
  #paid = 0n

  constructor(reserve: bigint) {
    this.#reserve = reserve
  }

  check(event: Event): void {
    this.#checkConservation(event)
    this.#checkGains(event)
    this.#checkState(event)
  }

  #checkConservation({ before, message, outcome, tx }: Event): void {
    const sent = outcome.transfers.reduce((sum, transfer) => sum + transfer.value, 0n)
    const fees = tx === undefined ? 0n : networkFees([tx])
    const value = tx === undefined ? 0n : message.value
    assert.equal(outcome.channel.balance, before.balance + value - sent - fees, 'nothing is created or lost')
  }

  /** Storage is the channel's to pay, everything else the sender's; nobody but the payee is paid for a voucher. */
  #checkGains(event: Event): void {
    const { before, message, outcome, facts, tx } = event
    if (tx === undefined) {
      return
    }
    const own = before.balance - facts.storageFee
    const senderFees = networkFees([tx]) - facts.storageFee
    const due = dueOf(event)
    if (message.from === 'external') {
      const surplus = outcome.channel.balance - (own - due)
      assert.ok(surplus >= 0n, 'the channel pays for no external claim')
      assert.equal(received(outcome, 'payee'), due - senderFees - surplus)
      return
    }
    const arrived = outcome.transfers.length > 0
    const [ended, funded] = [hasEnded(event), hasFunded(event)]
    // What stayed because it could not bounce, or because storage had eaten what is owed.
    const cost = !arrived ? message.value - senderFees : funded || outcome.result !== 'done' ? 0n : above0(due - own)
    const expected: Record<Party, bigint> = { payer: 0n, payee: due, stranger: 0n, masterchain: 0n }
    expected.payer += ended ? above0(own - due) : funded ? own - outcome.channel.balance : 0n
    expected[message.from] -= cost
    const gains = { ...expected }
    for (const party of ['payer', 'payee', 'stranger', 'masterchain'] as const) {
      gains[party] = received(outcome, party) - (party === message.from ? message.value - senderFees : 0n)
    }
    assert.deepEqual(gains, expected)
  }

  #checkState(event: Event): void {
    const { before, outcome, facts } = event
    const after = outcome.channel
    const opened = before.state === 'new' && after.state !== 'new'
    this.#paid = (opened ? 0n : this.#paid) + dueOf(event)
    this.#storage = hasFunded(event) ? 0n : this.#storage + facts.storageFee
    if (hasEnded(event)) {
      assert.deepEqual([after.account, after.balance], ['missing', 0n], 'nothing is stranded')
      return
    }
    if (after.state === 'new') {
      return
    }
    assert.equal(after.settled, this.#paid, 'the payee got exactly what is settled')
    assert.ok(after.settled <= after.deposit)
    const locked = after.deposit - after.settled
    assert.ok(after.balance + this.#storage >= locked + this.#reserve, 'all that is missing went into storage')
    if (this.#storage <= this.#reserve) {
      assert.ok(after.balance >= locked, 'what is locked is there while the reserve lasts')
    }
    if (opened) {
      assert.ok(after.openedLt > before.openedLt)
      return
    }
    assert.equal(after.openedLt, before.openedLt)
    assert.ok(after.deposit >= before.deposit && after.settled >= before.settled, 'both only grow')
    assert.ok(before.state === 'open' || (after.state === 'closing' && after.closeAt === before.closeAt))
  }
}

/** What a message that went through had to pay the payee, by its own total: a claim no more than there is. */
function dueOf({ before, message, outcome, facts }: Event): bigint {
  if (outcome.result !== 'done' || message.bounced || !('total' in message.body)) {
    return 0n
  }
  const due = message.body.total.cumulative - before.settled
  const own = above0(before.balance - facts.storageFee)
  return message.body.op === 'claim' && own < due ? own : due
}

function hasFunded({ message, outcome }: Event): boolean {
  return outcome.result === 'done' && message.body.op === 'fund' && !message.bounced
}

function hasEnded({ before, outcome }: Event): boolean {
  return before.state !== 'new' && outcome.channel.account === 'missing'
}

function received(outcome: Outcome, party: Party): bigint {
  return outcome.transfers.filter(({ to }) => to === party).reduce((sum, { value }) => sum + value, 0n)
}

function above0(amount: bigint): bigint {
  return amount > 0n ? amount : 0n
}
