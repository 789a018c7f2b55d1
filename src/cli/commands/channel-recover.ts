import { formatTonAmount } from '../../core/nano-ton.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import { renderTable } from '../table.ts'
import { withAccount } from '../with-node.ts'
import { payingObject } from './channel-list.ts'

/** Finds the wallet's channels on the chain again after the ledger was lost. */
export async function recoverChannels(context: CommandContext): Promise<void> {
  const { output, signal } = context
  await withAccount(context, async account => {
    const waiting = lateNote(output, "Reading the wallet's past on the chain…")
    const { recovered, known, gone, incomplete } = await account.recoverChannels({ signal }).finally(waiting.done)
    const found = [...recovered.map(c => ({ c, was: 'recovered' })), ...known.map(c => ({ c, was: 'known' }))]
    if (output.json) {
      found.forEach(({ c, was }) => output.event({ found: was, ...payingObject(c) }))
      output.event({
        found: 'total',
        recovered: recovered.length,
        known: known.length,
        gone,
        incomplete: incomplete ?? null
      })
    } else {
      output.result({}, () =>
        [
          renderTable(
            ['FOUND', 'CHANNEL', 'STATE', 'LOCKED', 'SETTLED'],
            found.map(({ c, was }) => [was, c.channel, c.state, formatTonAmount(c.deposit), formatTonAmount(c.settled)])
          ),
          `${recovered.length} recovered, ${known.length} known before, ${gone} closed\n`
        ].join('')
      )
    }
    if (incomplete !== undefined) {
      output.note(incomplete)
    }
    if (recovered.length > 0) {
      output.note('They are used again, or closed when idle; "cocoon-node channel close" gets the rest back now.')
    }
  })
}
