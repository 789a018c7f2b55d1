import { EventEmitter } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { main } from '../../../src/cli/main.ts'
import { type FakeIo, fakeIo } from './fake-io.ts'
import { FakeNode } from './fake-node.ts'

/** A command line in this process, over a node that a test scripts. */
export class MainRun {
  readonly node = new FakeNode()
  readonly signals = Object.assign(new EventEmitter(), {
    exits: [] as number[],
    exit: (code: number) => void this.exits.push(code)
  })
  /** What commands wait for passes at once. */
  pause: (ms: number, signal: AbortSignal) => Promise<void> = async (_ms, signal) => signal.throwIfAborted()
  readonly simnetCalls: string[][] = []
  readonly home: string
  exits: number[] = []

  constructor(folder: string) {
    this.home = join(folder, 'home')
  }

  /** Runs a command on a home folder of its own. */
  async run(args: string[], io: FakeIo = fakeIo()): Promise<FakeIo & { code: number }> {
    await mkdir(this.home, { recursive: true })
    await writeFile(join(this.home, 'config.json'), '{}')
    const code = await main(args, {
      io: { ...io, env: { COCOON_HOME: this.home, ...io.env } },
      signals: this.signals,
      pause: (ms, signal) => this.pause(ms, signal),
      loadNode: async () => this.node.module,
      loadSimnet: async () => ({
        main: async words => {
          this.simnetCalls.push(words)
          return 4
        }
      })
    })
    return { ...io, code }
  }
}
