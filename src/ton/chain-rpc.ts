import { Address, Cell, type Transaction } from '@ton/core'
import type { AbortOptions } from '../core/abort.ts'
import { CocoonError } from '../core/errors.ts'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { ChainRefusedError, ChainUnreachableError, type HttpFailure, readHttpFailure } from './chain-errors.ts'
import { ToncenterClient } from './toncenter-client.ts'
import { abortable, type Sleep } from './wait.ts'

export interface ChainRpcInit {
  /** toncenter API v2, `https://…/api/v2/jsonRPC`. */
  endpoint: string
  apiKey?: string
  /**
   * Longest wait for one answer, in milliseconds.
   * @default 10_000
   */
  requestTimeoutMs?: number
}

/** Where a page of an account's past begins. */
export interface TransactionsFrom {
  /** Begins with this transaction instead of the newest one. */
  from?: { lt: bigint; hash: bigint }
  /** Asks for a server that knows the whole past. */
  archival?: boolean
}

/** An account as of the newest block the endpoint knows. */
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
const READ_ATTEMPTS = 3
const RETRY_DELAY_MS = 250
/** Without a key toncenter answers once a second. */
const RATE_LIMIT_DELAY_MS = 1_100
const MAX_TRANSACTIONS = 100

/** The few requests this package makes, with errors in our own terms. Reads are tried again, sends never. */
export class ChainRpc {
  readonly #client: ToncenterClient
  readonly #sleep: Sleep
  /** Host of the endpoint, without what may be secret in its path or query. */
  readonly endpoint: string

  constructor({ sleep }: { sleep: Sleep }, init: ChainRpcInit) {
    this.#sleep = sleep
    this.endpoint = new URL(init.endpoint).origin
    this.#client = new ToncenterClient({
      endpoint: init.endpoint,
      timeout: init.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      ...(init.apiKey === undefined ? {} : { apiKey: init.apiKey })
    })
  }

  async tip(options: AbortOptions = {}): Promise<{ height: number; hash: Uint8Array }> {
    return this.#read('getMasterchainInfo', () => this.#client.getTip(), options)
  }

  /** @throws {ChainUnreachableError} `CHAIN_UNREACHABLE` */
  async account(address: string, options: AbortOptions = {}): Promise<AccountView> {
    const state = await this.#read(
      'getAddressInformation',
      () => this.#client.getContractState(Address.parseRaw(address)),
      options
    )
    const code = state.code === null ? undefined : Cell.fromBoc(state.code)[0]
    const data = state.data === null ? undefined : Cell.fromBoc(state.data)[0]
    return {
      balance: nanoTon(state.balance),
      active: state.state === 'active',
      ...(code === undefined ? {} : { code }),
      ...(data === undefined ? {} : { data }),
      lastLt: BigInt(state.lastTransaction?.lt ?? 0),
      chainTime: state.timestampt,
      asOfMs: state.timestampt * 1000,
      blockSeqno: state.blockId.seqno
    }
  }

  /**
   * A parameter of the chain's configuration: 18 storage prices, 19 network id, 20 and 21 gas prices of the masterchain
   * and the basechain, 24 and 25 forwarding prices of the same.
   *
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async configParam(id: number, options: AbortOptions = {}): Promise<Cell> {
    return this.#read('getConfigParam', () => this.#client.getConfigParam(id), options)
  }

  /**
   * Newest first.
   *
   * @param afterLt only transactions later than this
   */
  async transactions(
    address: string,
    afterLt = 0n,
    limit = MAX_TRANSACTIONS,
    { from, archival, ...options }: AbortOptions & TransactionsFrom = {}
  ): Promise<Transaction[]> {
    const window = {
      limit,
      ...(afterLt === 0n ? {} : { to_lt: afterLt.toString() }),
      ...(from === undefined ? {} : { lt: from.lt.toString(), hash: base64Hash(from.hash), inclusive: true }),
      ...(archival === true ? { archival } : {})
    }
    const found = await this.#read(
      'getTransactions',
      () => this.#client.getTransactions(Address.parseRaw(address), { ...window }),
      options
    )
    // Not every server takes to_lt as we mean it.
    return found.filter(tx => tx.lt > afterLt)
  }

  /**
   * Hands in an external message. Without an answer it may still have arrived: `details.sent` is false only if it surely did not.
   *
   * @throws {ChainRefusedError} `CHAIN_REFUSED` if the account does not accept it
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   */
  async sendBoc(boc: Buffer, options: AbortOptions = {}): Promise<void> {
    try {
      await abortable(this.#client.sendFile(boc), options)
    } catch (err) {
      if (err instanceof CocoonError) {
        throw err
      }
      const failure = readHttpFailure(err)
      if (/cannot apply external message|not accepted/i.test(failure.text)) {
        throw new ChainRefusedError('the message', failure.text, { sent: false })
      }
      const error = this.#unreachable('sendBoc', failure)
      throw failure.notSent ? error.unsent() : error
    }
  }

  async #read<T>(method: string, request: () => Promise<T>, options: AbortOptions): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await abortable(request(), options)
      } catch (err) {
        if (err instanceof CocoonError) {
          throw err
        }
        const failure = readHttpFailure(err)
        const clientsFault = failure.status !== undefined && failure.status < 500 && failure.status !== 429
        if (attempt === READ_ATTEMPTS || clientsFault) {
          throw this.#unreachable(method, failure)
        }
        await this.#sleep(failure.status === 429 ? RATE_LIMIT_DELAY_MS : RETRY_DELAY_MS * attempt, options)
      }
    }
  }

  // The HTTP client's error is not handed on as cause: it carries the request's headers, the API key among them.
  #unreachable(method: string, failure: HttpFailure): ChainUnreachableError {
    return new ChainUnreachableError(this.endpoint, method, failure.text)
  }
}

function base64Hash(hash: bigint): string {
  return Buffer.from(hash.toString(16).padStart(64, '0'), 'hex').toString('base64')
}
