import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from '../support/until.ts'

const BLOCK_TIME_MS = 25

/** The simnet's chain in a process of its own; it ends with this one. */
export class ChainProcess {
  readonly #child: ChildProcess
  #url = ''

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(): Promise<ChainProcess> {
    const entry = fileURLToPath(new URL('../../simnet/chain/main.js', import.meta.url))
    const args = [entry, '--with-parent', '--block-time-ms', String(BLOCK_TIME_MS)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const chain = new ChainProcess(child)
    for await (const line of createInterface({ input: child.stdout })) {
      chain.#url = (JSON.parse(line) as { url: string }).url
      return chain
    }
    throw new Error('The chain did not start')
  }

  get endpoint(): string {
    return `${this.#url}/api/v2/jsonRPC`
  }

  async give(address: string, amount: bigint): Promise<void> {
    const body = JSON.stringify({ address, amount: String(amount) })
    await fetch(`${this.#url}/simnet/faucet`, { method: 'POST', body })
  }

  /** Until nothing waits for a block. */
  async settled(): Promise<void> {
    await until(async () => (await this.#health()).waiting === 0, 20_000)
  }

  /** Until the chain's clock, which counts seconds, shows another time. */
  async nextSecond(): Promise<void> {
    const { utime } = await this.#health()
    await until(async () => (await this.#health()).utime > utime)
  }

  async #health(): Promise<{ waiting: number; utime: number }> {
    return (await (await fetch(`${this.#url}/simnet/health`)).json()) as { waiting: number; utime: number }
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}
