import assert from 'node:assert/strict'
import type { Event } from './channel-stateful-invariants.ts'

/** Shares of all messages that may not be missed: a property that never gets there says nothing. */
const AT_LEAST: Readonly<Record<string, number>> = {
  'fund: done': 0.05,
  'claim: done': 0.03,
  'external claim: done': 0.01,
  'start: done': 0.005,
  'finish: done': 0.002,
  'coop: done': 0.005,
  'claim: 105': 0.01,
  'claim: 106': 0.01,
  'external claim: 105': 0.005,
  'external claim: 116': 0.005,
  'start: 100': 0.001,
  'coop: 100': 0.001,
  'coop: 112': 0.001,
  'coop: 118': 0.002,
  'opened again': 0.005,
  'storage ate what is locked': 0.005
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
