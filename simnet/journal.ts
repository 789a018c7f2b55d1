import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { createFile, replaceFile } from '../src/config/atomic-file.ts'
import { identifyProcess, type ProcessIdentity } from '../src/config/process-identity.ts'
import { errorCode } from '../src/core/errors.ts'
import { formatFile, readChecked } from './network-file.ts'

const identity = z.object({ pid: z.int().min(1), started: z.string() })

const journalSchema = z.object({
  version: z.literal(1),
  /** Whether the network stays when its owner ends. */
  outlivesOwner: z.boolean(),
  /** The process that brings it up. */
  owner: identity,
  /** Every process it launched, in that order. */
  processes: z.array(identity.extend({ name: z.string() }))
})

/**
 * What a simnet has launched, written as it goes: whoever finds it after a crash knows what to stop, and never takes a
 * recycled process id for one of them. It is there as long as anything of the simnet is.
 */
export type Journal = z.infer<typeof journalSchema>
export type NamedProcess = ProcessIdentity & { readonly name: string }

export function journalFile(folder: string): string {
  return join(folder, 'processes.json')
}

/** @throws {EnvironmentError} `SIMNET_FILE_INVALID` */
export async function readJournal(folder: string): Promise<Journal | undefined> {
  return await readChecked(journalFile(folder), journalSchema)
}

/** Writes what this process launches into a folder's journal. */
export class JournalWriter {
  readonly #folder: string
  readonly #journal: Journal
  #written: Promise<void> = Promise.resolve()

  private constructor(folder: string, journal: Journal) {
    this.#folder = folder
    this.#journal = journal
  }

  /** Takes the folder for this process; undefined if another simnet has it. */
  static async create(folder: string): Promise<JournalWriter | undefined> {
    const owner = await identifyProcess(process.pid)
    const journal: Journal = { version: 1, outlivesOwner: false, owner, processes: [] }
    try {
      await createFile(journalFile(folder), formatFile(journal))
    } catch (err) {
      if (errorCode(err) === 'EEXIST') {
        return undefined
      }
      throw err
    }
    return new JournalWriter(folder, journal)
  }

  async add({ name, pid, started }: NamedProcess): Promise<void> {
    this.#journal.processes.push({ name, pid, started })
    await this.#write()
  }

  /** The network is whole: it stays when this process ends. */
  async release(): Promise<void> {
    this.#journal.outlivesOwner = true
    await this.#write()
  }

  /** One at a time, so that an older state never replaces a newer one. */
  async #write(): Promise<void> {
    this.#written = this.#written.then(() => replaceFile(journalFile(this.#folder), formatFile(this.#journal)))
    await this.#written
  }
}

export async function removeJournal(folder: string): Promise<void> {
  await rm(journalFile(folder), { force: true })
}
