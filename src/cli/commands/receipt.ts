import { join } from 'node:path'
import type { Command } from 'commander'
import { formatTon, formatTonAmount } from '../../core/nano-ton.ts'
import { SIMULATED } from '../answer-summary.ts'
import type { CommandContext } from '../context.ts'
import { newCommand } from '../new-command.ts'
import type { ReceiptFields, ReceiptVerdict } from '../node-port.ts'
import { renderTable } from '../table.ts'
import { safeLine } from '../terminal-text.ts'
import { type TrustOptions, trustOf, withTrustOptions } from '../trust-options.ts'
import { homeOf } from '../with-node.ts'

const VOUCHER_WORDS: Readonly<Record<ReceiptVerdict['voucher'], string>> = {
  none: 'nothing was paid',
  terms: 'its voucher fits; the signature on it was not checked',
  signature: 'its voucher fits and was signed by the payer'
}

/** `cocoon-node receipt` */
export function receiptCommand(context: CommandContext): Command {
  return newCommand('receipt', {
    summary: 'Receipts of answers: list, show, verify',
    examples: [
      ['cocoon-node receipt list', 'newest first'],
      ['cocoon-node receipt show 3fa1', 'by the beginning of its id'],
      ['cocoon-node receipt verify ./receipt.json', 'a file from anyone, offline']
    ]
  })
    .addCommand(
      newCommand('list', {
        summary: 'Receipts of this node, newest first',
        examples: [['cocoon-node receipt list --json', 'one object a receipt']]
      }).action(() => list(context))
    )
    .addCommand(
      newCommand('show', {
        summary: 'What a receipt says, unchecked',
        examples: [['cocoon-node receipt show 3fa1', 'by the beginning of its id']]
      })
        .argument('<id|file>', 'beginning of the job id, or a file')
        .action((idOrPath: string) => show(context, idOrPath))
    )
    .addCommand(
      withTrustOptions(
        newCommand('verify', {
          summary: 'Check a receipt offline',
          description:
            "Checks the enclave's signature, its evidence, and that request, model, answer and payment belong together.",
          examples: [
            ['cocoon-node receipt verify 3fa1', 'one of this node'],
            ['cocoon-node receipt verify ./receipt.json --policy policy.json', 'a file, by a policy of your own'],
            ['cocoon-node receipt verify ./receipt.json --allow-simulated', 'a file of a simnet']
          ]
        })
      )
        .argument('<id|file>', 'beginning of the job id, or a file')
        .action((idOrPath: string, options: TrustOptions) => verify(context, idOrPath, options))
    )
}

async function list(context: CommandContext): Promise<void> {
  const { output } = context
  const { receiptStore } = await context.loadNode()
  const entries = await receiptStore(receiptsFolder(await homeOf(context, true))).list()
  if (output.json) {
    entries.forEach(({ path, receipt }) => output.event(receiptObject(receipt, path)))
  } else if (entries.length === 0) {
    output.note('No receipts yet: every paid answer leaves one.')
  } else {
    output.result({}, () =>
      renderTable(
        ['RECEIPT', 'ENDED', 'PROVIDER', 'TOKENS', 'TON'],
        entries.map(({ receipt }) => [
          receipt.jobId,
          new Date(receipt.endedAtMs).toISOString(),
          receipt.providerPeerId,
          String(receipt.completionTokens),
          formatTonAmount(BigInt(receipt.cost))
        ])
      )
    )
  }
}

async function show(context: CommandContext, idOrPath: string): Promise<void> {
  const { receiptStore } = await context.loadNode()
  const { path, receipt } = await receiptStore(await folderFor(context, idOrPath)).get(idOrPath)
  context.output.result(receiptObject(receipt, path), () => renderReceipt(receipt))
  context.output.note('Nothing of this was checked: "cocoon-node receipt verify" does that.')
}

async function verify(context: CommandContext, idOrPath: string, options: TrustOptions): Promise<void> {
  const { verifyReceiptFile } = await context.loadNode()
  const verdict = await verifyReceiptFile(idOrPath, {
    receiptsFolder: await folderFor(context, idOrPath),
    ...(await trustOf(context, options))
  })
  const { receipt, enclave, voucher, path } = verdict
  context.output.result({ verified: true, tier: enclave.tier, voucher, ...receiptObject(receipt, path) }, () =>
    [
      `VERIFIED, tier ${enclave.tier}: the enclave of this statement signed it; ${VOUCHER_WORDS[voucher]}.`,
      ...(enclave.tier === SIMULATED
        ? ['A simulated enclave proves who signed, not what ran or who could read it.']
        : []),
      renderReceipt(receipt)
    ].join('\n')
  )
}

/** A file needs no home folder. */
async function folderFor(context: CommandContext, idOrPath: string): Promise<string> {
  return isPath(idOrPath) ? '' : receiptsFolder(await homeOf(context, true))
}

/** What is no beginning of a job id is a path. */
function isPath(idOrPath: string): boolean {
  return !/^[0-9a-f]{1,32}$/.test(idOrPath)
}

function receiptsFolder(home: string): string {
  return join(home, 'receipts')
}

function receiptObject(receipt: ReceiptFields, path: string) {
  const { cost, ...fields } = receipt
  return { ...fields, costNano: cost, path }
}

function renderReceipt(receipt: ReceiptFields): string {
  const tokens = `${receipt.promptTokens} prompt, ${receipt.cachedPromptTokens} cached, ${receipt.completionTokens} answer`
  const rows: Array<[string, string]> = [
    ['receipt', receipt.jobId],
    ['provider', receipt.providerPeerId],
    ['client', receipt.clientPeerId],
    ['model', receipt.modelDigest],
    ['tokens', `${tokens}; ended by ${receipt.finishReason}`],
    ['price', formatTon(BigInt(receipt.cost))],
    ['channel', receipt.channel],
    ['time', `${new Date(receipt.startedAtMs).toISOString()}, ${receipt.endedAtMs - receipt.startedAtMs} ms`]
  ]
  return rows.map(([name, value]) => `${name.padEnd(9)}${safeLine(value)}\n`).join('')
}
