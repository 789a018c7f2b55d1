import { setTimeout as sleep } from 'node:timers/promises'
import type { Network } from '../config/index.ts'
import type { AbortOptions } from '../core/abort.ts'
import { systemClock } from '../core/clock.ts'
import { ed25519FromSeed } from '../core/ed25519.ts'
import { UsageError } from '../core/errors.ts'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { systemRandom } from '../core/random.ts'
import { repeat } from '../core/repeat.ts'
import { type GuardChain, type GuardEvent, VoucherGuard } from '../payments/index.ts'
import { createTon, GLOBAL_IDS } from '../ton/index.ts'
import { type ReadVoucher, VoucherFiles } from './voucher-files.ts'

export interface WatchInit {
  /** Paths of voucher files. They are read again when they change. */
  files: readonly string[]
  /** @default that of the first file */
  network?: Network
  /** toncenter v2 API of a network. With fallbacks, what decides over money has to be shown by two servers. */
  endpointOf: (
    network: Network
  ) => Promise<{ endpoint: string; apiKey?: string; fallbacks: Array<{ endpoint: string }> }>
  /** Longest time between two looks, milliseconds. @default one that fits the challenge period */
  intervalMs?: number
  /** Claims also while the channel is open, as soon as more than this is due. @default never */
  claimAbove?: NanoTon
  /** Claims everything that is due now, and ends. */
  now: boolean
  onEvent: (event: WatchEvent) => void
}

/** What a watch tells: of a channel, or of a file. */
export type WatchEvent =
  | GuardEvent
  | { type: 'bad-file'; file: string; reason: string }
  | { type: 'lower-file'; file: string; channel: string; amount: NanoTon }

/** What a watch that ended came to. */
export interface WatchSummary {
  /** Paid by claims of this watch. */
  claimed: NanoTon
  /** Promised by vouchers of channels that ended without paying them. */
  lost: NanoTon
  /** Vouchers or files that could not be used, or were not claimed though they should have been. */
  failed: number
}

const REREAD_MS = 2_000

/**
 * Guards channels of somebody else with their latest vouchers, and nothing else: no home, no wallet. It can only pay
 * the payee. Resolves when nothing is left to guard, or the signal is aborted.
 *
 * @throws {UsageError} `VOUCHER_FILE_INVALID` if no file holds a voucher of the network
 */
export async function watchVouchers(init: WatchInit, options: AbortOptions = {}): Promise<WatchSummary> {
  const summary = { claimed: 0n, lost: 0n, failed: 0 }
  const tell = (event: WatchEvent): void => {
    count(summary, event, init.now)
    init.onEvent(event)
  }
  const files = new VoucherFiles(init.files)
  const first = await files.changed(options)
  const network = init.network ?? networkOf(first)
  const chain = await openChain(network, init)
  const guard = new VoucherGuard(
    // Nothing else keeps this process alive between two looks.
    { chain, clock: systemClock, onEvent: tell, delay: async (ms, signal) => sleep(ms, undefined, { signal }) },
    { claimAbove: init.claimAbove, claimNow: init.now, intervalMs: init.intervalMs }
  )
  const offer = (read: readonly ReadVoucher[]): number => read.filter(one => offerOne(guard, network, one, tell)).length
  if (offer(first) === 0) {
    throw new UsageError(
      'VOUCHER_FILE_INVALID',
      `None of ${init.files.length} files holds a voucher for ${network}: make one with "cocoon-node channel voucher"`
    )
  }
  const stop = new AbortController()
  repeat(async () => void offer(await files.changed({ signal: stop.signal })), {
    pauseMs: () => REREAD_MS,
    signal: stop.signal,
    onError: () => undefined
  })
  guard.start()
  await Promise.race([guard.finished, aborted(options.signal)])
  stop.abort()
  await guard.stop()
  return { claimed: nanoTon(summary.claimed), lost: nanoTon(summary.lost), failed: summary.failed }
}

/** Whether the file's voucher is, or was already, taken to guard with. */
function offerOne(
  guard: VoucherGuard,
  network: Network,
  { file, voucher, problem }: ReadVoucher,
  tell: (event: WatchEvent) => void
): boolean {
  const reason =
    voucher !== undefined && voucher.globalId !== GLOBAL_IDS[network]
      ? `its voucher is for network ${voucher.globalId}: this watch is on ${network} (${GLOBAL_IDS[network]})`
      : problem
  if (voucher === undefined || reason !== undefined) {
    tell({ type: 'bad-file', file, reason: reason ?? 'it holds no voucher' })
    return false
  }
  if (guard.offer(voucher) === 'lower') {
    tell({ type: 'lower-file', file, channel: voucher.channel, amount: voucher.cumulative })
  }
  return true
}

function networkOf(read: readonly ReadVoucher[]): Network {
  const globalId = read.find(({ voucher }) => voucher !== undefined)?.voucher?.globalId
  const known = Object.entries(GLOBAL_IDS).find(([, id]) => id === globalId)
  if (known === undefined) {
    const problem = read.find(one => one.problem !== undefined)
    throw new UsageError(
      'VOUCHER_FILE_INVALID',
      globalId === undefined
        ? `${problem?.file ?? 'No file'}: ${problem?.problem ?? 'holds a voucher'}`
        : `The voucher is for network ${globalId}, which this version does not know`
    )
  }
  return known[0] as Network
}

/** The key signs nothing: only what needs no wallet is asked for. */
async function openChain(network: Network, { endpointOf }: WatchInit): Promise<GuardChain> {
  const endpoints = await endpointOf(network)
  const key = ed25519FromSeed(systemRandom.bytes(32))
  const { chain } = await createTon({}, { ...endpoints, globalId: GLOBAL_IDS[network], key })
  return chain
}

function count(summary: { claimed: bigint; lost: bigint; failed: number }, event: WatchEvent, now: boolean): void {
  switch (event.type) {
    case 'claimed':
      summary.claimed += event.paid
      return
    case 'over':
      summary.lost += event.unpaid
      return
    case 'refused':
    case 'bad-file':
      summary.failed++
      return
    case 'trouble':
    case 'too-small':
    case 'over-deposit':
      summary.failed += now ? 1 : 0
      return
    default:
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted === true) {
      resolve()
    }
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}
