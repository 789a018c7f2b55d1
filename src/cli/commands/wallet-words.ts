import type { Command } from 'commander'
import { UsageError } from '../../core/errors.ts'
import type { CommandContext } from '../context.ts'
import { newCommand } from '../new-command.ts'
import { withPassphrase } from '../prompt-passphrase.ts'
import { readWords } from '../read-words.ts'
import { homeOf } from '../with-node.ts'

const COLUMNS = 4

interface ExportOptions {
  yes?: boolean
}

/** `cocoon-node wallet export` */
export function exportCommand(context: CommandContext): Command {
  return newCommand('export', {
    summary: 'Show the 24 words of the wallet',
    description:
      'Shows the words that the key of the wallet was made of. Whoever has them has all its money, without this computer.\n' +
      'They open the same wallet in others that know wallet version W5 (v5r1).',
    examples: [
      ['cocoon-node wallet export', 'at a terminal, to write them down'],
      ['cocoon-node wallet export --yes > words.txt', 'into a file that others can read if you let them']
    ]
  })
    .option('--yes', 'also where the words go to a file, a pipe or --json')
    .action((options: ExportOptions) => exportWords(context, options))
}

/** `cocoon-node wallet import` */
export function importCommand(context: CommandContext): Command {
  return newCommand('import', {
    summary: 'Bring back the wallet of 24 words',
    description:
      'Reads the words from the terminal, where they are not shown, or from a pipe, and makes the wallet key that this home\n' +
      'lost. A key that is there is never replaced: for another wallet, make another home with "init --mnemonic".',
    examples: [
      ['cocoon-node wallet import', 'asks for the words'],
      ['cocoon-node wallet import < words.txt', 'takes them from a file']
    ]
  }).action(() => importWords(context))
}

async function exportWords(context: CommandContext, { yes = false }: ExportOptions): Promise<void> {
  const { io, output, signal } = context
  const atTerminal = io.stdout.isTTY === true && !output.json
  if (!atTerminal && !yes) {
    throw new UsageError(
      'WORDS_NOT_SHOWN',
      'The words would not go to a terminal but to a file or another program: say --yes if that is what you want'
    )
  }
  const home = await homeOf(context, true)
  const { exportWallet } = await context.loadNode()
  const { walletAddress, words } = await withPassphrase(io, passphrase =>
    exportWallet({ home, ...(passphrase === undefined ? {} : { passphrase }) }, { signal })
  )
  output.note(
    'Whoever has these words has all the money of this wallet. Keep them on paper; type them into nothing that asks.'
  )
  output.result({ address: walletAddress, words: [...words] }, () => (atTerminal ? numbered(words) : words.join(' ')))
}

async function importWords(context: CommandContext): Promise<void> {
  const { io, output, signal } = context
  const home = await homeOf(context, false)
  const text = await readWords(io, signal)
  const { importWallet } = await context.loadNode()
  const { walletAddress, imported } = await withPassphrase(io, passphrase =>
    importWallet({ home, ...(passphrase === undefined ? {} : { passphrase }) }, text, { signal })
  )
  output.result({ address: walletAddress, imported }, () =>
    imported ? `Imported wallet ${walletAddress}` : `This home has wallet ${walletAddress} already`
  )
}

/** Four a line, each with its number. */
function numbered(words: readonly string[]): string {
  const cells = words.map((word, index) => `${String(index + 1).padStart(2)} ${word.padEnd(9)}`)
  const lines = []
  for (let at = 0; at < cells.length; at += COLUMNS) {
    lines.push(
      cells
        .slice(at, at + COLUMNS)
        .join(' ')
        .trimEnd()
    )
  }
  return lines.join('\n')
}
