import type { Command } from 'commander'
import type { Network } from '../../config/index.ts'
import { UsageError } from '../../core/errors.ts'
import { formatTon, type NanoTon } from '../../core/nano-ton.ts'
import type { CommandContext } from '../context.ts'
import { newCommand } from '../new-command.ts'
import type { WatchEvent, WatchInit } from '../node-port.ts'
import { amount, decimalNumber, each, httpUrl, oneOf } from '../option-values.ts'
import { readSimnetFile } from '../simnet-file.ts'
import { spanText } from '../step-text.ts'
import { safeLine } from '../terminal-text.ts'

interface WatchOptions {
  network?: Network
  endpoint?: string[]
  interval?: number
  above?: NanoTon
  now?: boolean
}

const MONEY_EXIT = 7
const PUBLIC: Readonly<Record<Exclude<Network, 'simnet'>, string>> = {
  mainnet: 'https://toncenter.com/api/v2/jsonRPC',
  testnet: 'https://testnet.toncenter.com/api/v2/jsonRPC'
}

/** `cocoon-node watch` */
export function watchCommand(context: CommandContext): Command {
  return newCommand('watch', {
    summary: "Guard a provider's channels with their latest vouchers",
    description:
      'When the payer closes a channel alone, its voucher is claimed before the close ends. Needs no home and no wallet: fees\n' +
      'come out of the payout, which goes to the payee and nobody else. Files are read again when they change; a higher\n' +
      'voucher takes the place of a lower one, never the other way. "cocoon-node channel voucher" makes such files.',
    examples: [
      ['cocoon-node watch 3fa1.voucher', 'guard one channel'],
      ['cocoon-node watch vouchers/*.voucher --json', 'guard many; one object an event'],
      ['cocoon-node watch 3fa1.voucher --above 0.5', 'claim also when more than half a coin is due'],
      ['cocoon-node watch 3fa1.voucher --now', 'claim what is due, and end']
    ]
  })
    .argument('<file...>', 'voucher files')
    .option(
      '--network <name>',
      'simnet, testnet or mainnet (default: that of the first file)',
      oneOf('--network', ['simnet', 'testnet', 'mainnet'])
    )
    .option(
      '--endpoint <url>',
      "toncenter v2 API (default: toncenter.com, or the local simnet's); $COCOON_CHAIN_API_KEY is its key. With a second one,\n" +
        'of somebody else, both have to agree',
      each(httpUrl('--endpoint'))
    )
    .option(
      '--interval <seconds>',
      'longest time between two looks (default: fits the challenge period)',
      decimalNumber('--interval', 0.5, 86_400)
    )
    .option('--above <amount>', 'claim also while the channel is open, when more than this is due', amount('--above'))
    .option('--now', 'claim what is due now, and end')
    .action((files: string[], options: WatchOptions) => watch(context, files, options))
}

async function watch(context: CommandContext, files: string[], options: WatchOptions): Promise<void> {
  const { output, signal } = context
  const { network, interval, above, now } = options
  const { watchVouchers } = await context.loadNode()
  const summary = await watchVouchers(
    {
      files,
      now: now === true,
      endpointOf: name => endpointOf(context, name, options.endpoint ?? []),
      onEvent: event => output.result(eventObject(event), () => describeEvent(event, Date.now())),
      ...(network === undefined ? {} : { network }),
      ...(interval === undefined ? {} : { intervalMs: interval * 1000 }),
      ...(above === undefined ? {} : { claimAbove: above })
    },
    { signal }
  )
  const { claimed, lost, failed } = summary
  output.result({ event: 'ended', claimedNano: claimed, lostNano: lost, failed }, () =>
    [`Ended: ${formatTon(claimed)} claimed`, ...(lost > 0n ? [`${formatTon(lost)} lost`] : [])].join(', ')
  )
  if (lost > 0n || (now === true && failed > 0)) {
    context.exitCode = MONEY_EXIT
  }
}

async function endpointOf(
  { io }: CommandContext,
  network: Network,
  [given, ...others]: string[]
): ReturnType<WatchInit['endpointOf']> {
  const apiKey = io.env['COCOON_CHAIN_API_KEY'] ?? ''
  const simnet = network === 'simnet' && given === undefined ? await readSimnetFile(io) : undefined
  const endpoint =
    given ?? (network === 'simnet' ? (simnet?.running === true ? simnet.chainEndpoint : undefined) : PUBLIC[network])
  if (endpoint === undefined) {
    throw new UsageError(
      'CHAIN_URL_MISSING',
      'No simnet runs on this machine: name the URL of the chain that the vouchers are for with --endpoint'
    )
  }
  const fallbacks = others.map(other => ({ endpoint: other }))
  return { endpoint, fallbacks, ...(apiKey === '' ? {} : { apiKey }) }
}

/** Amounts in nanotons under names that say so. */
function eventObject({ type, ...fields }: WatchEvent) {
  const amounts = new Set(['amount', 'due', 'paid', 'deposit', 'unpaid'])
  return {
    event: type,
    ...Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [amounts.has(name) ? `${name}Nano` : name, value])
    )
  }
}

function describeEvent(event: WatchEvent, nowMs: number): string {
  const at = new Date(nowMs).toISOString()
  return `${at} ${'channel' in event ? `${event.channel} ` : ''}${eventText(event, nowMs)}`
}

function eventText(event: WatchEvent, nowMs: number): string {
  switch (event.type) {
    case 'watching':
      return `guarded with a voucher over ${formatTon(event.amount)}, ${formatTon(event.due)} of it not paid yet; pays ${event.payeeAddress}, ${spanText(event.challengeSeconds * 1000)} to claim after a close`
    case 'higher':
      return `guarded with a higher voucher, over ${formatTon(event.amount)}`
    case 'closing':
      return event.late
        ? `THE PAYER CLOSED ALONE, and may end it since ${new Date(event.closeAtMs).toISOString()}: claiming ${formatTon(event.due)} as long as it is there`
        : `the payer closes alone: claiming ${formatTon(event.due)}, ${spanText(event.closeAtMs - nowMs)} before it ends`
    case 'claimed':
      return `claimed ${formatTon(event.paid)}, fees included, transaction ${event.transaction}`
    case 'paid':
      return `paid ${formatTon(event.amount)} in all: nothing is due on this voucher`
    case 'too-small':
      return `not claimed: ${safeLine(event.reason, 300)}`
    case 'over-deposit':
      return `the voucher is over ${formatTon(event.amount)} and the deposit is ${formatTon(event.deposit)}: it pays only after a top-up`
    case 'over':
      return overText(event)
    case 'refused':
      return `a voucher over ${formatTon(event.amount)} is not used: ${safeLine(event.reason, 300)}`
    case 'trouble':
      return `${event.code}: ${safeLine(event.reason, 300)}`
    case 'bad-file':
      return `${safeLine(event.file, 200)}: ${safeLine(event.reason, 300)}`
    case 'lower-file':
      return `${safeLine(event.file, 200)} holds a lower voucher, over ${formatTon(event.amount)}: the higher one stays`
  }
}

function overText({ end, unpaid }: Extract<WatchEvent, { type: 'over' }>): string {
  if (end === 'together') {
    return 'over: it was closed with the agreement of the payee'
  }
  if (unpaid === 0n) {
    return 'over: all that the voucher promised was paid'
  }
  return end === 'alone'
    ? `OVER, ${formatTon(unpaid)} LOST: the payer closed it before the voucher was claimed`
    : `OVER, ${formatTon(unpaid)} of the voucher may be lost: the chain no longer tells how it ended`
}
