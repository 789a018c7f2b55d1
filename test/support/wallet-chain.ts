import assert from 'node:assert/strict'
import { Address, beginCell, Cell, loadTransaction, type Transaction } from '@ton/core'
import { configParseGasLimitsPrices, configParseMsgPrices } from '@ton/ton'
import { SIMNET_GLOBAL_ID } from '../../simnet/chain/sim-blockchain.ts'
import { SimChain } from '../../simnet/chain/sim-chain.ts'
import { type Ed25519KeyPair, ed25519FromSeed } from '../../src/core/ed25519.ts'
import { nanoTon, parseTon } from '../../src/core/nano-ton.ts'
import { ChainRefusedError, ChainUnreachableError } from '../../src/ton/chain-errors.ts'
import { PRICE_PARAMS } from '../../src/ton/chain-prices.ts'
import type { AccountView, TransactionsFrom } from '../../src/ton/chain-rpc.ts'
import { PriceBoard } from '../../src/ton/price-board.ts'
import { TonChain, type TonRpc } from '../../src/ton/ton-chain.ts'
import { TonWallet } from '../../src/ton/ton-wallet.ts'

/** What becomes of a message that is handed in. */
export type SendFault =
  | 'taken'
  | 'forgotten'
  | 'lost answer'
  | 'never arrived'
  | 'lands, then duplicate'
  | 'lost, yet duplicate'
  | 'refused'

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

  get nowMs(): number {
    return this.#clock.ms
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

  /** Everything costs `factor` times as much from now on. */
  raisePrices(factor: bigint): void {
    const gas = this.#param(PRICE_PARAMS.gas)
    const { flatLimit, flatGasPrice, other } = configParseGasLimitsPrices(gas.beginParse())
    const { gasPrice, gasLimit, specialGasLimit, gasCredit, blockGasLimit, freezeDueLimit, deleteDueLimit } = other
    // gas_flat_pfx#d1 flat_gas_limit:uint64 flat_gas_price:uint64 other:GasLimitsPrices = GasLimitsPrices;
    // gas_prices_ext#de gas_price:uint64 gas_limit:uint64 special_gas_limit:uint64 gas_credit:uint64
    //   block_gas_limit:uint64 freeze_due_limit:uint64 delete_due_limit:uint64 = GasLimitsPrices;
    const raised = [
      gasPrice * factor,
      gasLimit,
      specialGasLimit ?? 0n,
      gasCredit,
      blockGasLimit,
      freezeDueLimit,
      deleteDueLimit
    ]
    const gasCell = beginCell()
      .storeUint(0xd1, 8)
      .storeUint(flatLimit, 64)
      .storeUint(flatGasPrice * factor, 64)
    gasCell.storeUint(0xde, 8)
    for (const field of raised) {
      gasCell.storeUint(field, 64)
    }
    this.chain.setConfigParam(PRICE_PARAMS.gas, gasCell.endCell())
    const forward = configParseMsgPrices(this.#param(PRICE_PARAMS.forward).beginParse())
    // msg_forward_prices#ea lump_price:uint64 bit_price:uint64 cell_price:uint64 ihr_price_factor:uint32
    //   first_frac:uint16 next_frac:uint16 = MsgForwardPrices;
    const forwardCell = beginCell()
      .storeUint(0xea, 8)
      .storeUint(forward.lumpPrice * factor, 64)
      .storeUint(forward.bitPrice * factor, 64)
      .storeUint(forward.cellPrice * factor, 64)
      .storeUint(forward.ihrPriceFactor, 32)
      .storeUint(forward.firstFrac, 16)
      .storeUint(forward.nextFrac, 16)
      .endCell()
    this.chain.setConfigParam(PRICE_PARAMS.forward, forwardCell)
  }

  #param(id: number): Cell {
    return this.chain.configParam(id) ?? new Cell()
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

export interface ChainParty {
  key: Ed25519KeyPair
  wallet: TonWallet
  chain: TonChain
  endpoint: FaultyEndpoint
}

/** Somebody with a funded wallet that has sent before. */
export async function chainParty(chain: WalletChain, seed: number, coins = parseTon('100')): Promise<ChainParty> {
  const key = ed25519FromSeed(new Uint8Array(32).fill(seed))
  const endpoint = new FaultyEndpoint(chain)
  const parts = {
    rpc: endpoint,
    prices: new PriceBoard({ rpc: endpoint, clock: { nowMs: () => chain.nowMs } }),
    sleep: (ms: number) => chain.pass(ms)
  }
  const wallet = new TonWallet(parts, { key, globalId: SIMNET_GLOBAL_ID })
  await chain.fund(wallet.address, coins)
  // The first message of a wallet also carries its code.
  await wallet.send(`0:${'66'.repeat(32)}`, parseTon('0.01'))
  return { key, wallet, chain: new TonChain({ ...parts, wallet }, { globalId: SIMNET_GLOBAL_ID }), endpoint }
}

/** An endpoint of a {@link WalletChain}, for one account, that may lag, lose messages and lie about them. */
export class FaultyEndpoint implements TonRpc {
  readonly #chain: WalletChain
  /** Waited for before and after every request. */
  tick: (what: string) => Promise<void>
  #seen: { now: AccountView; before: AccountView } | undefined
  /** For each message handed in, the first first; then all are taken. */
  sendFaults: SendFault[] = []
  /** For each look at the account, whether it shows the account as it was before its last transaction; then none does. */
  lags: boolean[] = []
  /** For each look at its transactions, whether the newest one is missing; then none does. */
  historyLags: boolean[] = []
  sent = 0
  /** Transactions before this one are not shown, as by a server without an archive. */
  oldestLt = 0n
  /** Raw address of an account whose history is not shown at all. */
  hidden = ''

  constructor(chain: WalletChain, tick: (what: string) => Promise<void> = async () => undefined) {
    this.#chain = chain
    this.tick = tick
  }

  async account(address: string): Promise<AccountView> {
    await this.tick('account')
    const now = await this.#chain.account(address)
    const last = this.#seen ?? { now, before: now }
    this.#seen = { now, before: now.lastLt === last.now.lastLt ? last.before : last.now }
    const view = this.lags.shift() === true ? this.#seen.before : now
    await this.tick('account read')
    return view
  }

  async transactions(
    address: string,
    afterLt = 0n,
    limit = 100,
    { from }: TransactionsFrom = {}
  ): Promise<Transaction[]> {
    await this.tick('transactions')
    const found = this.#chain
      .transactions(address, afterLt, limit, from)
      .filter(({ lt }) => lt >= this.oldestLt && address !== this.hidden)
    await this.tick('transactions read')
    return this.historyLags.shift() === true ? found.slice(1) : found
  }

  async configParam(id: number): Promise<Cell> {
    await this.tick('config')
    return this.#chain.chain.configParam(id) ?? new Cell()
  }

  async tip(): Promise<{ height: number; hash: Uint8Array }> {
    const { seqno, rootHash } = this.#chain.chain.block
    return { height: seqno, hash: rootHash }
  }

  async blockHash(height: number): Promise<Uint8Array> {
    return this.#chain.chain.blockHash(height) ?? assert.fail(`There is no block ${height} yet`)
  }

  async sendBoc(boc: Buffer): Promise<void> {
    await this.tick('send')
    this.sent++
    const fault = this.sendFaults.shift() ?? 'taken'
    try {
      if (fault === 'taken' || fault === 'lost answer' || fault === 'lands, then duplicate') {
        await this.#chain.chain.sendExternal(boc)
      }
    } catch {
      throw duplicate()
    }
    if (fault === 'lands, then duplicate') {
      await this.#chain.pass(0)
    }
    await this.tick('sent')
    if (fault === 'lost answer' || fault === 'never arrived') {
      throw new ChainUnreachableError('http://endpoint', 'sendBoc', 'timeout')
    }
    if (fault === 'refused') {
      throw new ChainRefusedError('the message', 'External message was not accepted', { sent: false })
    }
    if (fault === 'lost, yet duplicate' || fault === 'lands, then duplicate') {
      throw duplicate()
    }
  }
}

/** What the public endpoint answers to the second copy of a message, with HTTP 500: it says nothing of the first. */
function duplicate(): ChainRefusedError {
  return new ChainRefusedError('the message', 'HTTP 500, LITE_SERVER_UNKNOWN: Duplicate msg_seqno', { duplicate: true })
}
