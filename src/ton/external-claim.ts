import { Address, beginCell, type Cell, external, storeMessage, type Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { MoneyError } from '../core/errors.ts'
import { formatTon, type NanoTon } from '../core/nano-ton.ts'
import { ChainRefusedError, ChainTimeoutError, ChainUnreachableError } from './chain-errors.ts'
import { CHANNEL_OPS } from './channel-contract.ts'
import type { ChannelView } from './channel-view.ts'
import type { WalletRpc } from './ton-wallet.ts'
import { readTransaction } from './transactions.ts'
import { poll, type Sleep } from './wait.ts'
import { externalBodyHash } from './wallet-fate.ts'

export interface ExternalClaimComponents {
  rpc: WalletRpc
  sleep: Sleep
  readChannel: (options: AbortOptions) => Promise<ChannelView>
}

export interface ExternalClaim {
  channel: string
  /** Message body with the voucher. */
  body: Cell
  openedLt: bigint
  /** The channel as it was before, and its last transaction. */
  before: { settled: NanoTon; lastLt: bigint; asOfMs: number }
}

/** The message is handed in again after this long without an effect, in milliseconds of the chain's time. */
const REPEAT_MS = 5_000

/** A refusal is final once the chain is this much further and shows nothing, in milliseconds. */
const REFUSAL_MS = 10_000

/**
 * Hands in a voucher without a wallet, and waits until the channel has paid it. Handing it in twice pays once: the
 * contract pays what exceeds the settled total.
 *
 * @returns hash of the channel's transaction, hex
 * @throws {ChainRefusedError} `CHAIN_REFUSED`
 * @throws {ChainTimeoutError} `CHAIN_TIMEOUT`
 * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
 * @throws {MoneyError} `CHANNEL_CLOSED` if the channel was closed before the claim landed
 */
export async function claimExternally(
  { rpc, sleep, readChannel }: ExternalClaimComponents,
  { channel, body, openedLt, before }: ExternalClaim,
  { timeoutMs, ...options }: AbortOptions & { timeoutMs: number }
): Promise<string> {
  const message = beginCell()
    .store(storeMessage(external({ to: Address.parseRaw(channel), body })))
    .endCell()
    .toBoc()
  let refused = await handIn(rpc, message, options)
  let handedInAtMs = before.asOfMs
  const check = async (): Promise<string | undefined> => {
    const view = await readChannel(options)
    const settled = view.openedLt === openedLt && view.settled > before.settled
    // A close takes the channel away: only its history tells whether the claim came first.
    const gone = view.openedLt !== openedLt && view.asOfMs > before.asOfMs
    if (settled || gone) {
      const found = await findClaim(rpc, channel, before.lastLt, body, options)
      if (found === undefined && !settled) {
        throw new MoneyError('CHANNEL_CLOSED', `Channel ${channel} was closed before the claim reached it`, {
          details: { channel }
        })
      }
      return found
    }
    if (refused !== undefined && view.asOfMs >= before.asOfMs + REFUSAL_MS) {
      throw refused
    }
    if (view.asOfMs >= handedInAtMs + REPEAT_MS) {
      handedInAtMs = view.asOfMs
      refused = await handIn(rpc, message, options)
    }
    return undefined
  }
  const transaction = await poll(check, { limitMs: timeoutMs }, sleep, options)
  if (transaction === undefined) {
    throw new ChainTimeoutError(`The external claim on channel ${channel}`, timeoutMs, { channel })
  }
  return transaction
}

/** Our transaction, or the first one in which the channel paid: somebody else may have claimed as much. */
async function findClaim(
  rpc: WalletRpc,
  channel: string,
  afterLt: bigint,
  body: Cell,
  options: AbortOptions
): Promise<string | undefined> {
  const history = await rpc.transactions(channel, afterLt, undefined, options)
  const paid = (tx: Transaction): boolean => {
    const { op, succeeded } = readTransaction(tx)
    return succeeded && op === CHANNEL_OPS.claim
  }
  const ours = history.find(tx => externalBodyHash(tx)?.equals(body.hash()))
  return (ours ?? history.findLast(paid))?.hash().toString('hex')
}

/** What speaks against it so far: an endpoint may refuse what another one has seen land. */
async function handIn(rpc: WalletRpc, message: Buffer, options: AbortOptions): Promise<ChainRefusedError | undefined> {
  try {
    await rpc.sendBoc(message, options)
    return undefined
  } catch (err) {
    if (err instanceof ChainRefusedError) {
      return err
    }
    if (err instanceof ChainUnreachableError && err.details['sent'] !== false) {
      return undefined
    }
    throw err
  }
}

/** `CLAIM_TOO_SMALL`: nothing was sent. */
export function claimTooSmall(channel: string, payout: NanoTon, above: NanoTon): MoneyError {
  return new MoneyError(
    'CLAIM_TOO_SMALL',
    `The payout of channel ${channel} is ${formatTon(payout)}: an external claim pays its fees from it and needs more than ${formatTon(above)}`,
    { details: { channel, payout, above, sent: false } }
  )
}
