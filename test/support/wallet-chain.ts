import { Address, Cell, loadTransaction, type Transaction } from '@ton/core'
import { SimChain } from '../../simnet/chain/sim-chain.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { ChainRefusedError, ChainUnreachableError } from '../../src/ton/chain-errors.ts'
import type { AccountView, TransactionsFrom } from '../../src/ton/chain-rpc.ts'
import type { WalletRpc } from '../../src/ton/ton-wallet.ts'

/** What becomes of a message that is handed in. */
export type SendFault = 'taken' | 'forgotten' | 'lost answer' | 'never arrived' | 'lands, then refused' | 'refused'

/** The real TVM without a socket: blocks come and time passes only as a test says. */
export class WalletChain {
  readonly chain: SimChain
  readonly #clock: { ms: number }

  private constructor(chain: SimChain, clock: { ms: number }) {
    this.chain = chain
    this.#clock = clock
  }

  static async create(): Promise<WalletChain> {
    const clock = { ms: 1_800_000_000_000 }
    return new WalletChain(await SimChain.create({ nowMs: () => clock.ms }), clock)
  }

  /** Lets time pass, then makes a block. */
  async pass(ms: number): Promise<void> {
    this.#clock.ms += ms
    await this.chain.produceBlock()
  }

  async fund(address: string, amount: bigint): Promise<void> {
    this.chain.fund(Address.parseRaw(address), nanoTon(amount))
    await this.chain.produceBlock()
  }

  async account(address: string): Promise<AccountView> {
    return this.chain.readAccount(Address.parseRaw(address), contract => {
      const { account } = contract.account
      const state = account?.storage.state
      const active = state?.type === 'active' ? state.state : undefined
      const { utime, seqno } = this.chain.block
      return {
        balance: nanoTon(account?.storage.balance.coins ?? 0n),
        active: active !== undefined,
        ...(active?.code ? { code: active.code } : {}),
        ...(active?.data ? { data: active.data } : {}),
        lastLt: account === undefined || account === null ? 0n : contract.lastTransactionLt,
        chainTime: utime,
        asOfMs: utime * 1000,
        blockSeqno: seqno
      }
    })
  }

  /** Newest first. */
  transactions(address: string, afterLt = 0n, limit = 100, from?: TransactionsFrom['from']): Transaction[] {
    return this.chain
      .transactions(Address.parseRaw(address))
      .filter(({ lt }) => lt > afterLt && lt <= (from?.lt ?? lt))
      .slice(-limit)
      .toReversed()
      .map(({ data }) => loadTransaction(Cell.fromBase64(data).beginParse()))
  }
}

/** An endpoint of a {@link WalletChain}, for one account, that may lag, lose messages and lie about them. */
export class FaultyEndpoint implements WalletRpc {
  readonly #chain: WalletChain
  readonly #tick: (what: string) => Promise<void>
  #seen: { now: AccountView; before: AccountView } | undefined
  /** For each message handed in, the first first; then all are taken. */
  sendFaults: SendFault[] = []
  /** For each look at the account, whether it shows the account as it was before its last transaction; then none does. */
  lags: boolean[] = []
  /** For each look at its transactions, whether the newest one is missing; then none does. */
  historyLags: boolean[] = []
  sent = 0

  /** @param tick waited for before and after every request */
  constructor(chain: WalletChain, tick: (what: string) => Promise<void> = async () => undefined) {
    this.#chain = chain
    this.#tick = tick
  }

  async account(address: string): Promise<AccountView> {
    await this.#tick('account')
    const now = await this.#chain.account(address)
    const last = this.#seen ?? { now, before: now }
    this.#seen = { now, before: now.lastLt === last.now.lastLt ? last.before : last.now }
    const view = this.lags.shift() === true ? this.#seen.before : now
    await this.#tick('account read')
    return view
  }

  async transactions(
    address: string,
    afterLt = 0n,
    limit = 100,
    { from }: TransactionsFrom = {}
  ): Promise<Transaction[]> {
    await this.#tick('transactions')
    const found = this.#chain.transactions(address, afterLt, limit, from)
    await this.#tick('transactions read')
    return this.historyLags.shift() === true ? found.slice(1) : found
  }

  async sendBoc(boc: Buffer): Promise<void> {
    await this.#tick('send')
    this.sent++
    const fault = this.sendFaults.shift() ?? 'taken'
    try {
      if (fault === 'taken' || fault === 'lost answer' || fault === 'lands, then refused') {
        await this.#chain.chain.sendExternal(boc)
      }
    } catch {
      throw refused()
    }
    if (fault === 'lands, then refused') {
      await this.#chain.pass(0)
    }
    await this.#tick('sent')
    if (fault === 'lost answer' || fault === 'never arrived') {
      throw new ChainUnreachableError('http://endpoint', 'sendBoc', 'timeout')
    }
    if (fault === 'refused' || fault === 'lands, then refused') {
      throw refused()
    }
  }
}

/** What the public endpoint answers to the second copy of a message, with HTTP 500. */
function refused(): ChainRefusedError {
  return new ChainRefusedError('the message', 'HTTP 500, LITE_SERVER_UNKNOWN: Duplicate msg_seqno', { sent: false })
}
