import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ControlReply } from './control.ts'
import type { KillPhase } from './kill-points.ts'

export type Role = 'payer' | 'payee'

/** The file in a home that says where its process was killed. */
const KILL_NOTE = 'killed-at.json'

/** A call that was not answered because its process died. */
export class SideDied extends Error {}

/** A call that its process refused. */
export class SideFailed extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** A child process that works for one role. */
export class Side {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (err: Error) => void }>()
  readonly #exited: Promise<void>
  #lastId = 0
  #errors = ''
  #ending: string | undefined

  constructor(role: Role) {
    const entry = fileURLToPath(new URL(`${role}-child.js`, import.meta.url))
    this.#child = fork(entry, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
    this.#child.on('message', reply => this.#take(reply as ControlReply))
    this.#exited = new Promise(resolve => {
      this.#child.on('exit', (status, signal) => {
        this.#ending = signal ?? `exit code ${status}`
        this.#waiting.forEach(({ reject }) => reject(new SideDied(this.#ending)))
        this.#waiting.clear()
        resolve()
      })
    })
  }

  /** How it ended; undefined while it runs. */
  get ending(): string | undefined {
    return this.#ending
  }

  /** What it wrote to stderr: a killed process says nothing. */
  get errors(): string {
    return this.#errors
  }

  get exited(): Promise<void> {
    return this.#exited
  }

  /**
   * @throws {SideDied} if the process ends first
   * @throws {SideFailed} with the code of what it threw
   */
  async call<T = unknown>(name: string, args?: unknown): Promise<T> {
    if (this.#ending !== undefined) {
      throw new SideDied(this.#ending)
    }
    const id = ++this.#lastId
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id, name, args }, err => {
        if (err !== null) {
          this.#waiting.delete(id)
          reject(new SideDied(err.message))
        }
      })
    })
  }

  async kill(): Promise<void> {
    if (this.#ending === undefined) {
      this.#child.kill('SIGKILL')
    }
    await this.#exited
  }

  #take(reply: ControlReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('error' in reply) {
      waiting?.reject(new SideFailed(reply.error.code, reply.error.message))
    } else {
      waiting?.resolve(reply.result)
    }
  }
}

/** Where the last process on a home killed itself, told once; undefined if it was killed from outside. */
export function takeKillNote(home: string): { step: string; phase: KillPhase } | undefined {
  const file = join(home, KILL_NOTE)
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { step: string; phase: KillPhase }
  } catch {
    return undefined
  } finally {
    rmSync(file, { force: true })
  }
}

/** Processes that are started and have loaded their code before they are needed. */
export class SparePool {
  readonly #spares: Record<Role, Side[]> = { payer: [], payee: [] }
  readonly #size: number

  constructor(size: number) {
    this.#size = size
  }

  take(role: Role): Side {
    const spare = this.#spares[role].shift() ?? new Side(role)
    while (this.#spares[role].length < this.#size) {
      this.#spares[role].push(new Side(role))
    }
    return spare
  }

  async close(): Promise<void> {
    const spares = [...this.#spares.payer.splice(0), ...this.#spares.payee.splice(0)]
    await Promise.all(spares.map(spare => spare.kill()))
  }
}
