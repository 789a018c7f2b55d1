import type { Cell, Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { fromHex } from '../core/bytes.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { type Logger, silentLogger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import { type Random, systemRandom } from '../core/random.ts'
import { AccountMemory } from './account-memory.ts'
import { AccountReader } from './account-reader.ts'
import { BlockMemory } from './block-memory.ts'
import { BlockReader } from './block-reader.ts'
import { BocSender } from './boc-sender.ts'
import { ConfigReader, type FreshOption } from './config-reader.ts'
import { Endpoint, type EndpointInit } from './endpoint.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { TipReader } from './tip-reader.ts'
import { askToncenter, type ToncenterTransport } from './toncenter-client.ts'
import { TransactionReader, type TransactionsFrom } from './transaction-reader.ts'
import { type Sleep, systemSleep } from './wait.ts'

export type { TransactionsFrom } from './transaction-reader.ts'

/** The first server, and those that answer when it does not. */
export interface ChainRpcInit extends EndpointInit {
  /**
   * Further servers of the same network, best run by somebody else: in order of preference.
   * @default []
   */
  fallbacks?: readonly EndpointInit[]
  /** Network that every server has to be of (configuration parameter 19). */
  globalId: number
  /**
   * Longest wait for one answer, in milliseconds.
   * @default 10_000
   */
  requestTimeoutMs?: number
  /**
   * How long to wait for a server to catch up with what was seen already, in milliseconds.
   * @default 30_000
   */
  lagLimitMs?: number
}

export interface ChainRpcComponents {
  /** @default the system's clock */
  clock?: Clock
  /** @default the system's timers */
  sleep?: Sleep
  /** @default the system's */
  random?: Random
  /** @default silent */
  logger?: Logger
  /** @default HTTP */
  transport?: ToncenterTransport
}

/** An account as of the newest masterchain block in which it is known to have been so. */
export interface AccountView {
  balance: NanoTon
  active: boolean
  code?: Cell
  data?: Cell
  /** Logical time of the last transaction; 0 for an account that does not exist. */
  lastLt: bigint
  /** The chain's own time, Unix seconds. */
  chainTime: number
  /** The chain's own time, Unix milliseconds: what is shown here holds as of then. */
  asOfMs: number
  /** Number of the masterchain block this was read from. */
  blockSeqno: number
}

const REQUEST_TIMEOUT_MS = 10_000
const LAG_LIMIT_MS = 30_000
const MAX_TRANSACTIONS = 100
/** What toncenter allows without a key, and with one. */
const PER_SECOND = { withoutKey: 1, withKey: 10 }
/** Its server is on this machine. */
const SIMNET_GLOBAL_ID = -217

/**
 * The few requests this package makes of toncenter's API v2, over several servers.
 *
 * - The first server that is well is asked; one that fails rests for a growing while, and others answer meanwhile.
 * - A server of another network is not asked again, nor one that gives an impossible answer.
 * - What is returned of an account or of the tip never goes back in time. A server that is behind is waited for.
 * - Where two servers answer, two have to show an account's state: the first time it is seen, and again after a minute; and
 *   two have to name a block that is looked up.
 *   If they contradict each other, nobody can tell which one is right, and neither is asked again. While only one answers,
 *   it is believed.
 *
 * What is shown is what masterchain blocks contain: final on this chain.
 */
export class ChainRpc {
  readonly #accounts: AccountReader
  readonly #transactions: TransactionReader
  readonly #config: ConfigReader
  readonly #tip: TipReader
  readonly #blocks: BlockReader
  readonly #sender: BocSender

  /** Makes no request. */
  constructor(components: ChainRpcComponents, init: ChainRpcInit) {
    const parts = {
      clock: components.clock ?? systemClock,
      sleep: components.sleep ?? systemSleep,
      random: components.random ?? systemRandom,
      logger: components.logger ?? silentLogger,
      transport: components.transport ?? askToncenter
    }
    const settings = {
      globalId: init.globalId,
      requestTimeoutMs: init.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      defaultRequestsPerSecond: (hasKey: boolean) =>
        init.globalId === SIMNET_GLOBAL_ID ? Infinity : hasKey ? PER_SECOND.withKey : PER_SECOND.withoutKey
    }
    const endpoints = [init, ...(init.fallbacks ?? [])].map(one => new Endpoint(parts, one, settings))
    const shared = {
      ...parts,
      pool: new EndpointPool(endpoints, parts.sleep),
      accounts: new AccountMemory(),
      blocks: new BlockMemory()
    }
    const limits = { lagLimitMs: init.lagLimitMs ?? LAG_LIMIT_MS }
    const reader = new AccountReader(shared, limits)
    this.#accounts = reader
    this.#transactions = new TransactionReader({ ...shared, reader }, limits)
    this.#config = new ConfigReader(shared)
    this.#tip = new TipReader(shared, limits)
    this.#blocks = new BlockReader(shared)
    this.#sender = new BocSender(shared)
  }

  /**
   * The newest masterchain block.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainLaggingError} `CHAIN_LAGGING`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async tip(options: AbortOptions = {}): Promise<{ height: number; hash: Uint8Array }> {
    const { seqno, rootHash } = await this.#tip.read(options)
    return { height: seqno, hash: new Uint8Array(Buffer.from(rootHash, 'hex')) }
  }

  /**
   * Root hash of the masterchain block of a number, 32 bytes. Kept: a final block never changes.
   *
   * @throws {ChainBlockUnknownError} `CHAIN_BLOCK_UNKNOWN` if the chain does not show it, not yet or not any more
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async blockHash(height: number, options: AbortOptions = {}): Promise<Uint8Array> {
    return fromHex(await this.#blocks.rootHash(height, options), 32)
  }

  /**
   * @param address raw
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainLaggingError} `CHAIN_LAGGING`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async account(address: string, options: AbortOptions = {}): Promise<AccountView> {
    const { shown, seen } = await this.#accounts.read(address, options)
    const { balance, state, code, data, lastLt } = shown
    return {
      balance,
      active: state === 'active',
      ...(code === undefined ? {} : { code }),
      ...(data === undefined ? {} : { data }),
      lastLt,
      chainTime: seen.utime,
      asOfMs: seen.utime * 1000,
      blockSeqno: seen.seqno
    }
  }

  /**
   * A parameter of the chain's configuration: 18 storage prices, 19 network id, 20 and 21 gas prices of the masterchain
   * and the basechain, 24 and 25 forwarding prices of the same. Kept for five minutes.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async configParam(id: number, options: AbortOptions & FreshOption = {}): Promise<Cell> {
    return this.#config.read(id, options)
  }

  /**
   * Transactions of an account, newest first and each the predecessor of the one before.
   *
   * @param address raw
   * @param afterLt only transactions later than this
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainLaggingError} `CHAIN_LAGGING`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async transactions(
    address: string,
    afterLt = 0n,
    limit = MAX_TRANSACTIONS,
    { from, archival, ...options }: AbortOptions & TransactionsFrom = {}
  ): Promise<Transaction[]> {
    const start = { ...(from === undefined ? {} : { from }), ...(archival === undefined ? {} : { archival }) }
    return this.#transactions.read({ address, afterLt, limit, ...start }, options)
  }

  /**
   * Hands in an external message, to one server after the other until one takes it. Without an answer it may still have
   * arrived: `details.sent` is `false` only if it surely did not.
   *
   * @throws {ChainRefusedError} `CHAIN_REFUSED` if the account does not accept it; with `details.duplicate`, and without a
   *   promise, if its seqno was used: by another message, or by this one
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {ChainInconsistentError} `CHAIN_INCONSISTENT`, `CHAIN_WRONG_NETWORK`
   */
  async sendBoc(boc: Buffer, options: AbortOptions = {}): Promise<void> {
    await this.#sender.send(boc, options)
  }
}
