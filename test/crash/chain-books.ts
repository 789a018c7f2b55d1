import { Address, type Transaction } from '@ton/core'
import { TonClient } from '@ton/ton'
import { balanceSheet, type SheetAccount } from '../../simnet/balance-sheet.ts'
import { readTransaction } from '../../simnet/chain-reader.ts'
import { CHANNEL_OPS } from '../../src/ton/channel-contract.ts'

/** A wallet before the first of its transactions that count. */
export interface WalletStart {
  name: string
  address: string
  balance: bigint
  lastLt: bigint
}

/** One channel as the chain's transactions tell its story. */
export interface ChannelStory {
  channel: string
  openedLt: bigint
  /** Amounts of the messages that funded it, in order. */
  deposits: bigint[]
  /** Highest total that was paid out. */
  settled: bigint
  /** Whether both sides closed it together. */
  agreed: boolean
}

export interface ChainBooks {
  channels: ChannelStory[]
  /** What each side gained or lost, with its own fees taken out: exactly what the channels paid. */
  payerLoss: bigint
  payeeGain: bigint
  fees: bigint
}

/** Reads what really happened from the chain, with the stock client. */
export class ChainBookkeeper {
  readonly #client: TonClient

  constructor(endpoint: string) {
    this.#client = new TonClient({ endpoint })
  }

  async start(name: string, address: string): Promise<WalletStart> {
    const [newest] = await this.#client.getTransactions(Address.parse(address), { limit: 1 })
    return { name, address, balance: await this.#balance(address), lastLt: newest?.lt ?? 0n }
  }

  /**
   * Accounts for every nanoton between the starts and now.
   *
   * @throws {CocoonError} `SIMNET_SHEET_MISMATCH` if the balances do not add up
   */
  async close(payer: WalletStart, payee: WalletStart): Promise<ChainBooks> {
    const wallets = await Promise.all([payer, payee].map(async start => ({ start, list: await this.#after(start) })))
    const [payerTxs, payeeTxs] = [wallets[0]?.list ?? [], wallets[1]?.list ?? []]
    const addresses = [...new Set(payerTxs.flatMap(channelsFunded))]
    const channels = await Promise.all(
      addresses.map(async address => ({ address, list: await this.#after({ address, lastLt: 0n }) }))
    )
    const sheet = balanceSheet(
      await Promise.all([
        ...wallets.map(({ start, list }) => this.#account(start.name, start.address, start.balance, list)),
        ...channels.map(({ address, list }) => this.#account('channel', address, 0n, list))
      ])
    )
    const channelTxs = channels.flatMap(({ list }) => list)
    const [payerAccount, payeeAccount] = sheet.accounts
    return {
      channels: channels.map(({ address, list }) => readStory(address, list)),
      // The channel's storage is the payer's to pay; everything else is paid by whoever sent the message.
      payerLoss: lossOf(payerAccount) - ownFees(payerTxs) - sentFees(channelTxs, payer.address) - storageOf(channelTxs),
      payeeGain: -(lossOf(payeeAccount) - ownFees(payeeTxs) - sentFees(channelTxs, payee.address)),
      fees: sheet.fees
    }
  }

  async #account(name: string, address: string, before: bigint, list: readonly Transaction[]): Promise<SheetAccount> {
    return { name, address, before, after: await this.#balance(address), transactions: list.map(readTransaction) }
  }

  async #balance(address: string): Promise<bigint> {
    return await this.#client.getBalance(Address.parse(address))
  }

  /** Oldest first. */
  async #after({ address, lastLt }: Pick<WalletStart, 'address' | 'lastLt'>): Promise<Transaction[]> {
    const found = await this.#client.getTransactions(Address.parse(address), { limit: 100, to_lt: String(lastLt) })
    if (found.length === 100) {
      throw new Error(`${address} has too many transactions to read in one page`)
    }
    return found.filter(tx => tx.lt > lastLt).sort((a, b) => (a.lt < b.lt ? -1 : 1))
  }
}

function channelsFunded(tx: Transaction): string[] {
  return tx.outMessages.values().flatMap(({ info, body }) => {
    const slice = body.beginParse()
    const isFund = slice.remainingBits >= 32 && slice.loadUint(32) === CHANNEL_OPS.fund
    return isFund && info.type === 'internal' ? [info.dest.toRawString()] : []
  })
}

/** What a channel did with the messages that it accepted. */
function readStory(channel: string, list: readonly Transaction[]): ChannelStory {
  const story: ChannelStory = { channel, openedLt: 0n, deposits: [], settled: 0n, agreed: false }
  for (const tx of list) {
    const body = tx.inMessage?.body.beginParse()
    const accepted = tx.description.type === 'generic' && !tx.description.aborted
    if (!accepted || body === undefined || body.remainingBits < 32) {
      continue
    }
    const op = body.loadUint(32)
    if (op === CHANNEL_OPS.fund) {
      story.openedLt ||= tx.lt
      story.deposits.push(body.loadCoins())
    } else if (op === CHANNEL_OPS.claim || op === CHANNEL_OPS.coopClose) {
      // … signature:bits512 cumulative:Coins …
      const cumulative = body.skip(512).loadCoins()
      story.settled = cumulative > story.settled ? cumulative : story.settled
      story.agreed = op === CHANNEL_OPS.coopClose
    }
  }
  return story
}

function lossOf(account: SheetAccount | undefined): bigint {
  return (account?.before ?? 0n) - (account?.after ?? 0n)
}

function feesOf(tx: Transaction): bigint {
  const { fee, forwardFee } = readTransaction(tx)
  return fee + forwardFee
}

function ownFees(list: readonly Transaction[]): bigint {
  return list.reduce((sum, tx) => sum + feesOf(tx), 0n)
}

/** Fees of the channels' work on one side's messages. */
function sentFees(list: readonly Transaction[], from: string): bigint {
  return list
    .filter(({ inMessage }) => inMessage?.info.type === 'internal' && inMessage.info.src.toRawString() === from)
    .reduce((sum, tx) => sum + feesOf(tx) - storageFee(tx), 0n)
}

function storageOf(list: readonly Transaction[]): bigint {
  return list.reduce((sum, tx) => sum + storageFee(tx), 0n)
}

function storageFee({ description }: Transaction): bigint {
  return description.type === 'generic' ? (description.storagePhase?.storageFeesCollected ?? 0n) : 0n
}
