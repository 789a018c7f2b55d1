import type { AbstractSublevel } from 'abstract-level'
import type { ClassicLevel } from 'classic-level'
import { LevelDatastore } from 'datastore-level'
import { EnvironmentError, errorCode } from '../core/errors.ts'
import { Ledger, StewardJournal } from '../payments/index.ts'
import { carefulLevel } from './careful-level.ts'
import { findLogDamage, isHeadMissing } from './level-log.ts'

/** The one database of a home folder: the ledger, what failed steps cost, and what libp2p remembers, each in a sublevel. */
export interface Store {
  readonly ledger: Ledger
  readonly journal: StewardJournal
  /** An `interface-datastore` for libp2p. */
  readonly datastore: LevelDatastore
  close(): Promise<void>
}

/**
 * Opens the database at `folder`, making it if it is missing. Nothing more is written to it once a write failed.
 *
 * @throws {EnvironmentError} `STORE_LOCKED` if another process has it open, `STORE_UNREADABLE` otherwise, also where it
 *   would open without something that was on disk
 */
export async function openStore(folder: string): Promise<Store> {
  await requireUndamaged(folder)
  const database = carefulLevel(folder)
  try {
    await database.open()
  } catch (cause) {
    throw notOpened(folder, cause)
  }
  const ledger = database.sublevel<string, string>('ledger', { keyEncoding: 'utf8', valueEncoding: 'utf8' })
  const steps = database.sublevel<string, string>('steps', { keyEncoding: 'utf8', valueEncoding: 'utf8' })
  const peers = database.sublevel<string, Uint8Array>('libp2p', { keyEncoding: 'utf8', valueEncoding: 'view' })
  return {
    ledger: new Ledger(ledger),
    journal: new StewardJournal(steps),
    datastore: new LevelDatastore(asLevel(peers)),
    close: () => database.close()
  }
}

// `datastore-level` is typed for a whole database but uses only what a sublevel has too.
function asLevel(
  sublevel: AbstractSublevel<ClassicLevel<string, string>, string | Buffer | Uint8Array, string, Uint8Array>
) {
  return sublevel as unknown as Extract<ConstructorParameters<typeof LevelDatastore>[0], object>
}

/** @throws {EnvironmentError} `STORE_UNREADABLE` */
async function requireUndamaged(folder: string): Promise<void> {
  const damage = (await isHeadMissing(folder)) ? { file: 'CURRENT', at: 0 } : await findLogDamage(folder)
  if (damage !== undefined) {
    throw new EnvironmentError(
      'STORE_UNREADABLE',
      `The database in ${folder} is damaged (${damage.file}, byte ${damage.at}) and would open without its last writes: restore the home folder from a backup`,
      { details: { folder, ...damage } }
    )
  }
}

function notOpened(folder: string, cause: unknown): EnvironmentError {
  const inner = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause
  if (errorCode(inner) === 'LEVEL_LOCKED') {
    return new EnvironmentError('STORE_LOCKED', `${folder} is open in another process: stop it first`, { cause })
  }
  return new EnvironmentError(
    'STORE_UNREADABLE',
    `The database in ${folder} cannot be opened (${errorCode(inner) ?? 'unknown error'}): restore the home folder from a backup`,
    { cause }
  )
}
