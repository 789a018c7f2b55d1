import assert from 'node:assert/strict'
import type { Event } from './channel-stateful-invariants.ts'

/**
 * Shares of all messages that may not be missed: a property that never gets there says nothing. They are a quarter of
 * what is usual, or less, so that chance does not fail them.
 */
const AT_LEAST: Readonly<Record<string, number>> = {
  'fund: done': 0.04,
  'claim: done': 0.02,
  'external claim: done': 0.01,
  'start: done': 0.004,
  'coop: done': 0.003,
  'finish: done': 0.001,
  'fund: 109': 0.004,
  'claim: 105': 0.01,
  'claim: 106': 0.01,
  'external claim: 105': 0.004,
  'external claim: 116': 0.004,
  'coop: 118': 0.003,
  'opened again': 0.002,
  'storage ate what is locked': 0.01
}

/** What happened how often. */
export class Tally {
  readonly #counts = new Map<string, number>()
  #messages = 0

  get messages(): number {
    return this.#messages
  }

  /** Undefined: time passed. */
  add(event: Event | undefined): void {
    if (event === undefined) {
      return
    }
    this.#messages++
    const { before, message, outcome } = event
    const handler = message.from === 'external' ? `external ${message.body.op}` : message.body.op
    this.#count(`${handler}: ${outcome.exitCode === 0 ? outcome.result : outcome.exitCode}`)
    const after = outcome.channel
    if (before.state === 'new' && after.state === 'open' && event.reopened) {
      this.#count('opened again')
    }
    if (after.account === 'active' && after.balance < after.deposit - after.settled) {
      this.#count('storage ate what is locked')
    }
    if (outcome.result === 'done' && 'total' in message.body && after.settled > before.settled) {
      this.#count(
        after.settled < message.body.total.cumulative ? 'claim of what was left' : 'claim of all that was due'
      )
    }
    if (after.account === 'frozen') {
      this.#count('frozen')
    }
    if (before.account === 'frozen' && after.account === 'active') {
      this.#count('thawed')
    }
  }

  /** That the runs got about. */
  check(): void {
    for (const [what, share] of Object.entries(AT_LEAST)) {
      const count = this.#counts.get(what) ?? 0
      assert.ok(count >= share * this.#messages, `${what}: ${count} times in ${this.#messages} messages`)
    }
  }

  toString(): string {
    const lines = [...this.#counts].toSorted(([a], [b]) => a.localeCompare(b)).map(([what, n]) => `${n}\t${what}`)
    return [`${this.#messages} messages`, ...lines].join('\n')
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}
