import type { Config } from '../config/index.ts'
import { systemClock } from '../core/clock.ts'
import { CocoonError } from '../core/errors.ts'
import { type Logger, lineLogger } from '../core/logger.ts'
import type { CommandContext } from './context.ts'
import { chooseHome } from './home.ts'
import type { CliAccount, CliClient, CliNode, NodeInit } from './node-port.ts'
import { withPassphrase } from './prompt-passphrase.ts'
import { describeLost, describeReport } from './step-text.ts'

/** Changes to the configuration for this run only. */
export type Overrides = (config: Config) => Config

/** Runs `work` with a client on the mesh, and closes its node whatever happens. */
export async function withClient<T>(
  context: CommandContext,
  overrides: Overrides,
  work: (client: CliClient, node: CliNode) => Promise<T>,
  watching: Pick<NodeInit, 'onStep' | 'onLost'> = {}
): Promise<T> {
  const node = await openNode(context, 'client', overrides, watching)
  try {
    await node.start({ signal: context.signal })
    if (node.client === undefined) {
      throw new CocoonError('internal', 'INTERNAL', 'A node of the client role has no client')
    }
    return await work(node.client, node)
  } finally {
    await node.stop()
  }
}

/** Opens the home folder's node. The caller starts and stops it. */
export async function openNode(
  context: CommandContext,
  role: NodeInit['role'],
  overrides: Overrides,
  watching: Pick<NodeInit, 'onEnclaveExit' | 'onStep' | 'onLost'> = {}
): Promise<CliNode> {
  const home = await homeOf(context, role === 'client')
  const { createNode } = await context.loadNode()
  const logger = debugLogger(context)
  return withPassphrase(context.io, passphrase =>
    createNode(
      {
        home,
        role,
        overrides,
        ...(passphrase === undefined ? {} : { passphrase }),
        ...(logger === undefined ? {} : { logger }),
        // What a client could not do for its channels is tried again, and no part of what was asked for.
        onStep: report => {
          if (role === 'provider' || report.failure === undefined) {
            context.output.note(describeReport(report))
          }
        },
        onLost: lost => context.output.note(describeLost(lost)),
        ...watching
      },
      { signal: context.signal }
    )
  )
}

/** Runs `work` with the home folder's wallet, channels and receipts; the mesh stays untouched. */
export async function withAccount<T>(context: CommandContext, work: (account: CliAccount) => Promise<T>): Promise<T> {
  const home = await homeOf(context, true)
  const { openAccount } = await context.loadNode()
  const account = await withPassphrase(context.io, passphrase =>
    openAccount({ home, ...(passphrase === undefined ? {} : { passphrase }) }, { signal: context.signal })
  )
  try {
    return await work(account)
  } finally {
    await account.close()
  }
}

/** The home folder a command works on. @throws {EnvironmentError} `HOME_MISSING` */
export async function homeOf({ homeOption, io, output }: CommandContext, simnet: boolean): Promise<string> {
  const home = await chooseHome({ option: homeOption, io, simnet })
  if (home.from === 'simnet') {
    output.note(`Using the client of the local simnet: ${home.path}`)
  }
  return home.path
}

/** `DEBUG=cocoon` shows the node's log as it is written. */
function debugLogger({ io }: CommandContext): Logger | undefined {
  if (!/(?:^|,)cocoon/.test(io.env['DEBUG'] ?? '')) {
    return undefined
  }
  return lineLogger(
    'cocoon',
    'debug',
    line => void io.stderr.write(line),
    () => systemClock.nowMs()
  )
}
