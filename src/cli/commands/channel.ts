import { rename, rm, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { EnvironmentError, errorCode } from '../../core/errors.ts'
import { formatTon, type NanoTon } from '../../core/nano-ton.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import { newCommand } from '../new-command.ts'
import { amount, peerId, rawAddress } from '../option-values.ts'
import { withAccount, withClient } from '../with-node.ts'
import { listChannels, payingObject } from './channel-list.ts'
import { recoverChannels } from './channel-recover.ts'
import { type TendOptions, tendChannels } from './channel-tend.ts'

/** `cocoon-node channel` */
export function channelCommand(context: CommandContext): Command {
  return newCommand('channel', {
    summary: 'Payment channels: list, open, close, claim, guard, recover',
    examples: [
      ['cocoon-node channel list', 'all channels of this node'],
      ['cocoon-node channel open 12D3KooW… 1', 'lock one coin for a provider'],
      ['cocoon-node channel close 0:3fa1…', 'pay what is owed, get the rest back'],
      ['cocoon-node channel tend', 'claim and close what is due, now']
    ]
  })
    .addCommand(listCommand(context))
    .addCommand(openCommand(context))
    .addCommand(closeCommand(context))
    .addCommand(tendCommand(context))
    .addCommand(voucherCommand(context))
    .addCommand(recoverCommand(context))
}

function listCommand(context: CommandContext): Command {
  return newCommand('list', {
    summary: 'All channels of this node',
    description:
      'Shows what is locked, promised and left or to be claimed, and what this node does next with each channel by itself:\n' +
      'when, and why.',
    examples: [
      ['cocoon-node channel list', 'amounts and next steps'],
      ['cocoon-node channel list --json', 'one object a channel, then the totals']
    ]
  }).action(() => listChannels(context))
}

function tendCommand(context: CommandContext): Command {
  return newCommand('tend', {
    summary: 'Claim, close and finish what is due, now',
    description:
      'A running provider does all this by itself. A client that only asks now and then claims and finishes by the way; it\n' +
      'closes idle channels only here.',
    examples: [
      ['cocoon-node channel tend', 'take the steps that "channel list" shows as due'],
      ['cocoon-node channel tend --watch', 'go on until Ctrl-C'],
      ['cocoon-node channel tend --retry', 'also what was given up after it failed too often']
    ]
  })
    .option('--watch', 'go on, and take each step when it is due')
    .option('--retry', 'forget earlier failures first')
    .action((options: TendOptions) => tendChannels(context, options))
}

function voucherCommand(context: CommandContext): Command {
  return newCommand('voucher', {
    summary: 'Export the latest voucher of a channel that pays this node',
    description:
      'Whoever has it can guard the channel with "cocoon-node watch" while this node is off. It holds no secret, and can only\n' +
      'pay this node. A running provider keeps such files by itself where channels.voucherFolder names a folder.',
    examples: [
      ['cocoon-node channel voucher 0:3fa1…', 'as text'],
      ['cocoon-node channel voucher 0:3fa1… --out 3fa1.voucher', 'into a file']
    ]
  })
    .argument('<channel>', 'address of the channel', rawAddress('The channel'))
    .option('--out <file>', 'file to write; one that is there is replaced as a whole')
    .action((channel: string, { out }: { out?: string }) => exportVoucher(context, channel, out))
}

function recoverCommand(context: CommandContext): Command {
  return newCommand('recover', {
    summary: "Find the wallet's channels on the chain again",
    description:
      'After the ledger was lost: channels that this wallet opened and the ledger does not know are taken up from the chain.\n' +
      'Nothing is paid on them before their provider told what it holds. Do not use it while another home uses the wallet.',
    examples: [['cocoon-node channel recover', 'list what was found']]
  }).action(() => recoverChannels(context))
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
      const { paid, closeTransaction } = closed
      output.result({ channel, paidNano: paid, closeTransaction }, () =>
        [`Channel ${channel} is closed; the provider got ${formatTon(paid)}`, `close  ${closeTransaction}`].join('\n')
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

async function exportVoucher(context: CommandContext, channel: string, out: string | undefined): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async account => {
    await account.payee.start({ signal })
    const text = account.voucherFile(channel)
    if (out === undefined) {
      output.result({ channel, voucher: text }, () => text)
      return
    }
    await writeVoucher(out, text)
    output.result({ channel, file: out }, () => `The latest voucher of ${channel} is in ${out}`)
  })
}

/** @throws {EnvironmentError} `OUTPUT_NOT_WRITABLE` */
async function writeVoucher(path: string, text: string): Promise<void> {
  // Whoever watches the file must never see half of it.
  const scratch = `${path}.${process.pid}.tmp`
  try {
    await writeFile(scratch, text, { mode: 0o600 })
    await rename(scratch, path)
  } catch (cause) {
    await rm(scratch, { force: true })
    throw new EnvironmentError('OUTPUT_NOT_WRITABLE', `${path} cannot be written (${errorCode(cause) ?? 'failed'})`, {
      cause
    })
  }
}
