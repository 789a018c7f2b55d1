import { renderTable } from '../src/cli/table.ts'
import { throwIfAborted } from '../src/core/abort.ts'
import { errorMessage } from '../src/core/errors.ts'
import { formatTon } from '../src/core/nano-ton.ts'
import { listedProvider, readEvent } from './cli-output.ts'
import type { SimnetContext } from './context.ts'
import { type Journal, readJournal } from './journal.ts'
import { type Network, readNetwork, simnetFolder } from './network-file.ts'
import { notRunning } from './not-running.ts'
import { runCli } from './process/run-cli.ts'
import { CHAIN_FOLDER, CLIENT_FOLDER, living } from './tear-down.ts'

interface Row {
  name: string
  pid: number | undefined
  alive: boolean | undefined
  peerId: string | undefined
  slots: { free: number; total: number } | undefined
  wallet: string | undefined
  balanceNano: bigint | undefined
}

/**
 * `simnet status`: each process, its free slots as its peers see them, and balances.
 *
 * @throws {EnvironmentError} `SIMNET_NOT_RUNNING`, `SIMNET_FILE_INVALID`
 */
export async function status(options: { dir?: string }, context: SimnetContext): Promise<void> {
  const { output } = context
  const folder = simnetFolder(options.dir)
  const [journal, network] = await Promise.all([readJournal(folder), readNetwork(folder)])
  if (journal === undefined) {
    throw notRunning(folder)
  }
  const rows = await readRows(journal, network, context)
  const state = network === undefined ? 'starting' : rows.every(({ alive }) => alive !== false) ? 'running' : 'broken'
  output.result({ folder, state, startedAtMs: network?.startedAtMs, members: rows.map(row => ({ ...row })) }, () =>
    [`Simnet in ${folder}: ${STATES[state]}`, '', renderRows(rows)].join('\n')
  )
}

const STATES = {
  starting: 'starting, or left by a start that crashed',
  running: 'running',
  broken: 'some of its processes ended; "cocoon-node simnet down" removes it'
} as const

async function readRows(
  journal: Journal,
  network: Network | undefined,
  { output, signal }: SimnetContext
): Promise<Row[]> {
  const alive = new Set((await living(journal)).map(({ name }) => name))
  const chainEndpoint = alive.has(CHAIN_FOLDER) ? network?.chainEndpoint : undefined
  const [slots, balances] = await Promise.all([
    readSlots(network, alive, signal, why => output.note(`Free slots are unknown: ${why}`)),
    readBalances(chainEndpoint, network, signal)
  ])
  const processes = journal.processes.map(({ name, pid }): Row => {
    const provider = network?.providers.find(entry => entry.name === name)
    const wallet = provider?.wallet
    return {
      name,
      pid,
      alive: alive.has(name),
      peerId: provider?.peerId,
      slots: provider === undefined || !alive.has(name) ? undefined : slots.get(provider.peerId),
      wallet,
      balanceNano: wallet === undefined ? undefined : balances.get(wallet)
    }
  })
  const wallet = network?.clientWallet
  const balanceNano = wallet === undefined ? undefined : balances.get(wallet)
  const client: Row = {
    name: CLIENT_FOLDER,
    pid: undefined,
    alive: undefined,
    peerId: undefined,
    slots: undefined,
    wallet,
    balanceNano
  }
  return [...processes, client]
}

/** As the mesh tells the simnet's client, which may be busy with a question of the user. */
async function readSlots(
  network: Network | undefined,
  alive: ReadonlySet<string>,
  signal: AbortSignal,
  onUnknown: (why: string) => void
): Promise<Map<string, { free: number; total: number }>> {
  if (network?.providers.some(({ name }) => alive.has(name)) !== true) {
    return new Map()
  }
  try {
    const events = await runCli(['providers', '--json', '--home', network.clientHome], { signal })
    return new Map(
      events
        .flatMap(event => readEvent(listedProvider, event) ?? [])
        .map(({ peerId, slotsFree, slotsTotal }) => [peerId, { free: slotsFree, total: slotsTotal }])
    )
  } catch (err) {
    throwIfAborted(signal)
    onUnknown(errorMessage(err))
    return new Map()
  }
}

async function readBalances(
  endpoint: string | undefined,
  network: Network | undefined,
  signal: AbortSignal
): Promise<Map<string, bigint>> {
  if (endpoint === undefined || network === undefined) {
    return new Map()
  }
  const { ChainReader } = await import('./chain-reader.ts')
  const reader = new ChainReader(endpoint)
  const wallets = [network.clientWallet, ...network.providers.map(({ wallet }) => wallet)]
  return new Map(
    await Promise.all(
      wallets.map(async (wallet): Promise<[string, bigint]> => [wallet, await reader.balance(wallet, { signal })])
    )
  )
}

function renderRows(rows: readonly Row[]): string {
  return renderTable(
    ['NAME', 'PROCESS', 'STATE', 'FREE SLOTS', 'BALANCE', 'PEER'],
    rows.map(({ name, pid, alive, slots, balanceNano, peerId }) => [
      name,
      pid === undefined ? '-' : String(pid),
      alive === undefined ? '-' : alive ? 'alive' : 'dead',
      slots === undefined ? '-' : `${slots.free} of ${slots.total}`,
      balanceNano === undefined ? '-' : formatTon(balanceNano),
      peerId ?? '-'
    ])
  )
}
