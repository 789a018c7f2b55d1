import { NetworkError } from '../../src/core/errors.ts'
import type { ToncenterTransport } from '../../src/ton/toncenter-client.ts'
import { FakeLedgerDatabase } from '../support/ledger-database.ts'

/** What outlives a process. */
export interface Disks {
  ledger: FakeLedgerDatabase
  steps: FakeLedgerDatabase
}

export function emptyDisks(): Disks {
  return { ledger: new FakeLedgerDatabase(), steps: new FakeLedgerDatabase() }
}

/** A copy: a backup, or what the next process finds after this one was killed. */
export function copyDisks({ ledger, steps }: Disks): Disks {
  return { ledger: new FakeLedgerDatabase(ledger.stored), steps: new FakeLedgerDatabase(steps.stored) }
}

/**
 * One life of a process. When it is killed nothing of it happens any more: what it still awaits never comes, and what its old
 * objects would write goes to a disk that nobody reads again.
 */
export class Incarnation {
  readonly disks: Disks
  /** Resolves when it is killed. */
  readonly death: Promise<void>
  #die!: () => void
  #killed = false

  constructor(disks: Disks) {
    this.disks = copyDisks(disks)
    this.death = new Promise(resolve => {
      this.#die = resolve
    })
  }

  get killed(): boolean {
    return this.#killed
  }

  kill(): Disks {
    this.#killed = true
    this.#die()
    return copyDisks(this.disks)
  }

  transport(chain: ToncenterTransport): ToncenterTransport {
    return async (request, options) => {
      const answer = this.#killed ? undefined : await chain(request, options)
      return this.#killed ? new Promise<never>(() => undefined) : answer
    }
  }

  /** @throws {NetworkError} `CONNECTION_LOST` when it was killed */
  requireAlive(): void {
    if (this.#killed) {
      throw new NetworkError('CONNECTION_LOST', 'The other process was killed')
    }
  }
}
