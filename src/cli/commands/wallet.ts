import type { Command } from 'commander'
import { formatTon, type NanoTon } from '../../core/nano-ton.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import { newCommand } from '../new-command.ts'
import { amount, rawAddress } from '../option-values.ts'
import { withAccount } from '../with-node.ts'

/** `cocoon-node wallet` */
export function walletCommand(context: CommandContext): Command {
  return newCommand('wallet', {
    summary: 'Address and balance; send coins',
    examples: [
      ['cocoon-node wallet', 'address and balance'],
      ['cocoon-node wallet --json', 'the same for programs, in nanotons'],
      ['cocoon-node wallet send 0:3fa1… 0.5', 'send half a coin']
    ]
  })
    .action(() => showWallet(context))
    .addCommand(
      newCommand('send', {
        summary: 'Send coins from the wallet',
        description: 'Sends coins and waits until the chain has the transaction. They do not come back by themselves.',
        examples: [['cocoon-node wallet send 0:3fa1… 0.5', 'half a coin']]
      })
        .argument('<address>', 'raw address of the receiver', rawAddress('The address'))
        .argument('<amount>', 'whole coins, like 0.25', amount('The amount'))
        .action((to: string, value: NanoTon) => send(context, to, value))
    )
}

async function showWallet(context: CommandContext): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async ({ wallet }) => {
    const balance = await wallet.balance({ signal })
    output.result({ address: wallet.address, balanceNano: balance }, () =>
      [`address  ${wallet.address}`, `balance  ${formatTon(balance)}`].join('\n')
    )
  })
}

async function send(context: CommandContext, to: string, value: NanoTon): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async ({ wallet }) => {
    const waiting = lateNote(output, 'Waiting for the chain…')
    const { transaction } = await wallet.send(to, value, { signal }).finally(waiting.done)
    output.result(
      { from: wallet.address, to, amountNano: value, transaction },
      () => `Sent ${formatTon(value)} to ${to} in transaction ${transaction}`
    )
  })
}
