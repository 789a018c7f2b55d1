import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type CocoonNode, createHome, createNode, type NodeInit, parseTon } from '../../src/index.ts'
import { fundWallets } from '../faucet.ts'

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
const CHAIN = fileURLToPath(new URL('../chain/main.js', import.meta.url))

/** What a provider process says when it is ready. */
interface Ready {
  peerId: string
  addresses: string[]
  pid: number
  enclavePid: number
}

/** A chain process and a provider process; clients are nodes of this process. */
export class BenchMesh {
  readonly ready: Ready
  readonly #url: string
  readonly #endpoint: string
  readonly #folder: string
  readonly #children: ChildProcess[]
  readonly #nodes: CocoonNode[] = []
  #homes = 0

  private constructor(url: string, endpoint: string, folder: string, children: ChildProcess[], ready: Ready) {
    this.#url = url
    this.#endpoint = endpoint
    this.#folder = folder
    this.#children = children
    this.ready = ready
  }

  static async start(modelPath: string): Promise<BenchMesh> {
    const folder = await mkdtemp(join(tmpdir(), 'cocoon-bench-'))
    const chain = spawn(process.execPath, [CHAIN, '--with-parent'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const { url, endpoint } = (await eventsOf(chain)(() => true)) as { url: string; endpoint: string }
    const home = join(folder, 'provider')
    await createHome({ home, network: 'simnet', chainEndpoint: endpoint })
    const { child, next, ready } = await startProvider(home, modelPath)
    const mesh = new BenchMesh(url, endpoint, folder, [chain, child], ready)
    // A record needs a second peer that keeps it.
    await mesh.client()
    await next(({ event }) => event === 'published')
    return mesh
  }

  /** A second provider of the same model that asks nothing for it. Returns its peer id. */
  async freeProvider(modelPath: string): Promise<string> {
    const home = join(this.#folder, 'free-provider')
    const bootstrap = this.ready.addresses
    await createHome({ home, network: 'simnet', chainEndpoint: this.#endpoint, bootstrap })
    const file = join(home, 'config.json')
    const config = JSON.parse(await readFile(file, 'utf8')) as object
    const prices = { promptPerMTokens: '0', cachedPromptPerMTokens: '0', completionPerMTokens: '0' }
    await writeFile(file, JSON.stringify({ ...config, provider: { prices } }))
    const { child, next, ready } = await startProvider(home, modelPath)
    this.#children.push(child)
    await next(({ event }) => event === 'published')
    return ready.peerId
  }

  /** A new funded client that knows the provider's address and nothing else. */
  async client(init: Partial<NodeInit> = {}): Promise<CocoonNode> {
    const home = join(this.#folder, `client-${++this.#homes}`)
    const { walletAddress } = await createHome({
      home,
      network: 'simnet',
      chainEndpoint: this.#endpoint,
      bootstrap: this.ready.addresses
    })
    const node = await createNode({ ...init, home, role: 'client' })
    this.#nodes.push(node)
    const funds = [{ address: walletAddress, amount: parseTon('10') }]
    await fundWallets({ url: this.#url, balance: () => node.wallet.balance() }, funds)
    await node.start()
    return node
  }

  /** Resident memory in MiB. Linux only; undefined elsewhere. */
  async memory(): Promise<{ hostMiB: number; enclaveMiB: number } | undefined> {
    try {
      const { pid, enclavePid } = this.ready
      return { hostMiB: await residentMiB(pid), enclaveMiB: await residentMiB(enclavePid) }
    } catch {
      return undefined
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(node => node.stop()))
    for (const child of [...this.#children].reverse()) {
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) {
        await once(child, 'exit')
      }
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** A provider process that serves the model with one thread. */
async function startProvider(home: string, modelPath: string) {
  const args = ['provide', '--json', '--home', home, '--threads', '1', '--slots', '1', '--model', modelPath]
  const code = `import { main } from ${JSON.stringify(CLI)}; process.exitCode = await main(process.argv.slice(1))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, '--', ...args], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const next = eventsOf(child)
  const ready = (await next(({ event }) => event === 'ready')) as unknown as Ready
  return { child, next, ready }
}

type Event = Record<string, unknown>

/** The JSON lines a process prints, one after the other as they are asked for. */
function eventsOf(child: ChildProcess): (wanted: (event: Event) => boolean) => Promise<Event> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  return async wanted => {
    for (;;) {
      const line = await lines.next()
      if (line.done === true) {
        throw new Error('The process ended before it was ready')
      }
      const event = JSON.parse(line.value) as Event
      if (wanted(event)) {
        return event
      }
    }
  }
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024)
}
