import type { Command } from 'commander'
import { UsageError } from '../../core/errors.ts'
import { formatTon, formatTonAmount, type NanoTon } from '../../core/nano-ton.ts'
import { accountAddress, type TypedAddress } from '../account-address.ts'
import { type ChannelMoney, channelMoney, sumMoney } from '../channel-money.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import { newCommand } from '../new-command.ts'
import { amount } from '../option-values.ts'
import { renderTable } from '../table.ts'
import { withAccount } from '../with-node.ts'
import { exportCommand, importCommand } from './wallet-words.ts'

/** `cocoon-node wallet` */
export function walletCommand(context: CommandContext): Command {
  return newCommand('wallet', {
    summary: 'Address, balance and channels; send coins; its words',
    description:
      'Shows the address, the balance, and what channels hold: what is locked, what of it is promised to the other side and\n' +
      'not collected yet, and what closing would give back or the next claim would pay.',
    examples: [
      ['cocoon-node wallet', 'address, balance and money in channels'],
      ['cocoon-node wallet --json', 'the same for programs, in nanotons'],
      ['cocoon-node wallet send UQBx… 0.5', 'send half a coin'],
      ['cocoon-node wallet export', 'show the 24 words, to write them down']
    ]
  })
    .action(() => showWallet(context))
    .addCommand(
      newCommand('send', {
        summary: 'Send coins from the wallet',
        description: 'Sends coins and waits until the chain has the transaction. They do not come back by themselves.',
        examples: [['cocoon-node wallet send UQBx… 0.5', 'half a coin']]
      })
        .argument('<address>', 'of the receiver, like UQ… or 0:…', accountAddress('The address'))
        .argument('<amount>', 'whole coins, like 0.25', amount('The amount'))
        .action((to: TypedAddress, value: NanoTon) => send(context, to, value))
    )
    .addCommand(exportCommand(context))
    .addCommand(importCommand(context))
}

async function showWallet(context: CommandContext): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async ({ wallet, payer, payee, config }) => {
    const { address, friendlyAddress } = wallet
    const waiting = lateNote(output, 'Asking the chain…')
    const [balance] = await Promise.all([
      wallet.balance({ signal }),
      payer.start({ signal }),
      payee.start({ signal })
    ]).finally(waiting.done)
    const channels = channelMoney(payer.list(), payee.list())
    output.result(
      {
        address,
        friendlyAddress,
        network: config.network,
        balanceNano: balance,
        ...sumObject(sumMoney(channels)),
        channels: channels.map(({ role, channel, state, ...sums }) => ({ role, channel, state, ...sumObject(sums) }))
      },
      () =>
        [
          `address  ${address}`,
          `         ${friendlyAddress} (${config.network})`,
          `balance  ${formatTon(balance)}`,
          ...(channels.length === 0 ? [] : ['', renderMoney(channels)])
        ].join('\n')
    )
    if (balance === 0n) {
      output.note(`The wallet is empty: send coins of the ${config.network} to ${friendlyAddress}`)
    }
  })
}

async function send(context: CommandContext, { address: to, isTestOnly }: TypedAddress, value: NanoTon): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async ({ wallet, config }) => {
    if (isTestOnly && config.network === 'mainnet') {
      throw new UsageError(
        'ADDRESS_INVALID',
        `The address is one of a testnet, and this node's coins are of the mainnet`
      )
    }
    const waiting = lateNote(output, 'Waiting for the chain…')
    const { transaction } = await wallet.send(to, value, { signal }).finally(waiting.done)
    output.result(
      { from: wallet.address, to, amountNano: value, transaction },
      () => `Sent ${formatTon(value)} to ${to} in transaction ${transaction}`
    )
  })
}

function sumObject({ locked, pending, claimable }: Pick<ChannelMoney, 'locked' | 'pending' | 'claimable'>) {
  return { lockedNano: locked, pendingNano: pending, claimableNano: claimable }
}

function renderMoney(channels: readonly ChannelMoney[]): string {
  const sum = sumMoney(channels)
  const amounts = (money: typeof sum): string[] => [money.locked, money.pending, money.claimable].map(formatTonAmount)
  return renderTable(
    ['ROLE', 'CHANNEL', 'STATE', 'LOCKED', 'PENDING', 'CLAIMABLE'],
    [
      ...channels.map(one => [one.role === 'payer' ? 'pays' : 'earns', one.channel, one.state, ...amounts(one)]),
      ['all', '', '', ...amounts(sum)]
    ]
  )
}
