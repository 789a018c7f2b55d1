import type { Command } from 'commander'
import { formatTon, formatTonAmount, type NanoTon } from '../../core/nano-ton.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import { newCommand } from '../new-command.ts'
import type { EarningChannel, PaidChannel } from '../node-port.ts'
import { amount, peerId, rawAddress } from '../option-values.ts'
import { renderTable } from '../table.ts'
import { withAccount, withClient } from '../with-node.ts'

/** `cocoon-node channel` */
export function channelCommand(context: CommandContext): Command {
  return newCommand('channel', {
    summary: 'Payment channels: list, open, close',
    examples: [
      ['cocoon-node channel list', 'all channels of this node'],
      ['cocoon-node channel open 12D3KooW… 1', 'lock one coin for a provider'],
      ['cocoon-node channel close 0:3fa1…', 'pay what is owed, get the rest back']
    ]
  })
    .addCommand(listCommand(context))
    .addCommand(openCommand(context))
    .addCommand(closeCommand(context))
}

function listCommand(context: CommandContext): Command {
  return newCommand('list', {
    summary: 'All channels of this node',
    examples: [
      ['cocoon-node channel list', 'what is locked, used and left'],
      ['cocoon-node channel list --json', 'one object a channel']
    ]
  }).action(() => list(context))
}

function openCommand(context: CommandContext): Command {
  return newCommand('open', {
    summary: 'Lock coins for a provider ahead of the first question',
    description: 'Finds the open channel to the provider, or opens one. "ask" does this by itself when it has to.',
    examples: [
      ['cocoon-node channel open 12D3KooW…', 'with the deposit of the configuration'],
      ['cocoon-node channel open 12D3KooW… 2.5', 'with 2.5 coins']
    ]
  })
    .argument('<peer>', 'the provider', peerId('The provider'))
    .argument('[amount]', 'whole coins to lock, like 0.5', amount('The amount'))
    .action((peer: string, deposit: NanoTon | undefined) => open(context, peer, deposit))
}

function closeCommand(context: CommandContext): Command {
  return newCommand('close', {
    summary: 'Close a channel together with its provider',
    description: 'The provider is paid what was signed to it; the rest of the deposit comes back at once.',
    examples: [
      ['cocoon-node channel close 0:3fa1…', 'an address of "cocoon-node channel list"'],
      ['cocoon-node channel close --alone 0:3fa1…', 'the provider is gone: start, and after its time call again']
    ]
  })
    .argument('<channel>', 'address of the channel', rawAddress('The channel'))
    .option('--alone', 'without the provider, which has the challenge period to claim first')
    .action((channel: string, options: { alone?: boolean }) =>
      options.alone === true ? closeAlone(context, channel) : close(context, channel)
    )
}

async function list(context: CommandContext): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async ({ payer, payee }) => {
    const waiting = lateNote(output, 'Asking the chain about the channels…')
    await Promise.all([payer.start({ signal }), payee.start({ signal })]).finally(waiting.done)
    const [paying, earning] = [payer.list(), payee.list()]
    if (output.json) {
      paying.forEach(channel => output.event(payingObject(channel)))
      earning.forEach(channel => output.event(earningObject(channel)))
    } else if (paying.length + earning.length === 0) {
      output.note('No channels yet: the first paid question opens one.')
    } else {
      output.result({}, () => renderChannels(paying, earning))
    }
  })
}

async function open(context: CommandContext, peer: string, deposit: NanoTon | undefined): Promise<void> {
  const { output, signal } = context
  await withClient(
    context,
    config => config,
    async client => {
      const waiting = lateNote(output, 'Waiting for the provider and the chain…')
      const opened = await client.openChannel(peer, deposit, { signal }).finally(waiting.done)
      output.result(payingObject(opened), () => `Channel ${opened.channel} is open with ${formatTon(opened.deposit)}`)
    }
  )
}

async function close(context: CommandContext, channel: string): Promise<void> {
  const { output, signal } = context
  await withClient(
    context,
    config => config,
    async client => {
      const waiting = lateNote(output, 'Waiting for the provider and the chain…')
      const closed = await client.closeChannel(channel, { signal }).finally(waiting.done)
      const { paid, claimTransaction, closeTransaction } = closed
      output.result({ channel, paidNano: paid, claimTransaction, closeTransaction }, () =>
        [
          `Channel ${channel} is closed; the provider got ${formatTon(paid)}`,
          ...(claimTransaction === '' ? [] : [`claim  ${claimTransaction}`]),
          `close  ${closeTransaction}`
        ].join('\n')
      )
    }
  )
}

async function closeAlone(context: CommandContext, channel: string): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async account => {
    const waiting = lateNote(output, 'Waiting for the chain…')
    const { step, transaction, refundAtMs } = await account.closeAlone(channel, { signal }).finally(waiting.done)
    output.result({ channel, step, transaction, refundAtMs }, () =>
      step === 'finished'
        ? `Channel ${channel} is closed and the rest of the deposit came back\nfinish ${transaction}`
        : `Channel ${channel} is closing: call this again after ${new Date(refundAtMs).toISOString()}\nstart  ${transaction}`
    )
  })
}

function payingObject({ channel, peerId: peer, state, deposit, used, settled, room }: PaidChannel) {
  return {
    role: 'payer',
    channel,
    peerId: peer,
    state,
    depositNano: deposit,
    usedNano: used,
    settledNano: settled,
    roomNano: room
  }
}

function earningObject({ channel, peerId: peer, state, locked, promised, settled, claimable }: EarningChannel) {
  return {
    role: 'payee',
    channel,
    peerId: peer,
    state,
    depositNano: locked,
    promisedNano: promised,
    settledNano: settled,
    claimableNano: claimable
  }
}

function renderChannels(paying: readonly PaidChannel[], earning: readonly EarningChannel[]): string {
  const rows = [
    ...paying.map(c => ['pays', c.channel, c.peerId, c.state, c.deposit, c.used, c.settled, c.room] as const),
    ...earning.map(c => ['earns', c.channel, c.peerId, c.state, c.locked, c.promised, c.settled, c.claimable] as const)
  ]
  return renderTable(
    ['ROLE', 'CHANNEL', 'PEER', 'STATE', 'LOCKED', 'USED', 'SETTLED', 'LEFT/CLAIMABLE'],
    rows.map(([role, channel, peer, state, ...amounts]) => [
      role,
      channel,
      peer,
      state,
      ...amounts.map(formatTonAmount)
    ])
  )
}
