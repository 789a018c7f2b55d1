import { CocoonError } from '../src/core/errors.ts'
import { type AnswerEvent, type ClosedChannel, type CocoonNode, createNode } from '../src/index.ts'
import { type BalanceSheet, balanceSheet, type SheetAccount } from './balance-sheet.ts'
import { ChainReader } from './chain-reader.ts'
import type { Network, NetworkProvider } from './network-file.ts'
import type { Phases } from './phases.ts'

export interface DemoAnswer {
  text: string
  provider: Extract<AnswerEvent, { type: 'provider' }>
  end: Extract<AnswerEvent, { type: 'end' }>
}

/** Longest answer of the demo. */
const MAX_TOKENS = 256

/** Who is told what happens, as it does. */
export interface DemoAudience {
  question(text: string): void
  /** Returns what takes the answer's pieces. */
  answerBegins(): { write: (text: string) => void; close: () => void }
  answered(answer: DemoAnswer, servedBy: NetworkProvider): void
  closed(close: ClosedChannel): void
  sheet(sheet: BalanceSheet, close: ClosedChannel): void
}

interface Mark {
  name: string
  address: string
  balance: bigint
  lt: bigint
}

/** The middle of the demo, on a network that is up: everything through the library API and the chain's public one. */
export class DemoRun {
  readonly #network: Network
  readonly #phases: Phases
  readonly #audience: DemoAudience
  readonly #signal: AbortSignal
  readonly #reader: ChainReader

  constructor(network: Network, phases: Phases, audience: DemoAudience, signal: AbortSignal) {
    this.#network = network
    this.#phases = phases
    this.#audience = audience
    this.#signal = signal
    this.#reader = new ChainReader(network.chainEndpoint)
  }

  async run(question: string) {
    const node = await this.#phases.time('client', () => this.#startClient())
    try {
      return await this.#askAndPay(node, question)
    } finally {
      await node.stop()
    }
  }

  /** The library API in this process: a second and a third `cocoon-node` would take longer to load than to work. */
  async #startClient(): Promise<CocoonNode> {
    const options = { signal: this.#signal }
    const node = await createNode({ home: this.#network.clientHome, role: 'client' }, options)
    try {
      await node.start(options)
      return node
    } catch (err) {
      await node.stop()
      throw err
    }
  }

  async #askAndPay(node: CocoonNode, question: string) {
    const { clientWallet, providers } = this.#network
    const marks = await Promise.all([
      this.#mark('client wallet', clientWallet),
      ...providers.map(({ name, wallet }) => this.#mark(`${name} wallet`, wallet))
    ])
    this.#audience.question(question)
    const answer = await this.#phases.time('answer', () => this.#ask(node, question))
    this.#audience.answered(answer, this.#servedBy(answer.provider.peerId))
    const { channel: address } = answer.provider
    const close = await this.#phases.time('close', () =>
      requireClient(node).closeChannel(address, { signal: this.#signal })
    )
    this.#audience.closed(close)
    // The channel was opened for this question: it had nothing before.
    const channel: Mark = { name: 'channel', address, balance: 0n, lt: 0n }
    const sheet = await this.#phases.time('sheet', () => this.#balance([...marks, channel], close))
    this.#audience.sheet(sheet, close)
    return resultObject(question, answer, close, sheet)
  }

  async #ask(node: CocoonNode, question: string): Promise<DemoAnswer> {
    const request = {
      messages: [{ role: 'user' as const, content: question }],
      modelDigestHex: this.#network.providers[0]?.model.digest ?? '',
      maxTokens: MAX_TOKENS
    }
    const stream = this.#audience.answerBegins()
    let text = ''
    let provider: DemoAnswer['provider'] | undefined
    let end: DemoAnswer['end'] | undefined
    try {
      for await (const event of requireClient(node).ask(request, { signal: this.#signal })) {
        switch (event.type) {
          case 'provider':
            provider = event
            break
          case 'text':
            text += event.text
            stream.write(event.text)
            break
          case 'end':
            end = event
        }
      }
    } finally {
      stream.close()
    }
    if (provider === undefined || end === undefined) {
      throw new CocoonError(
        'internal',
        'SIMNET_OUTPUT_UNEXPECTED',
        'The answer ended without its provider or its price: this is a bug'
      )
    }
    return { text, provider, end }
  }

  async #balance(marks: readonly Mark[], close: ClosedChannel): Promise<BalanceSheet> {
    const accounts = await Promise.all(marks.map(mark => this.#account(mark)))
    const hashes = new Set(accounts.flatMap(({ transactions }) => transactions.map(({ hash }) => hash)))
    const transaction = close.closeTransaction
    if (!hashes.has(transaction)) {
      throw new CocoonError(
        'money',
        'SIMNET_TRANSACTION_MISSING',
        `The chain has no transaction "${transaction}" that the node reported: this is a bug`,
        { details: { transaction } }
      )
    }
    return balanceSheet(accounts)
  }

  async #mark(name: string, address: string): Promise<Mark> {
    const options = { signal: this.#signal }
    const [balance, lt] = await Promise.all([
      this.#reader.balance(address, options),
      this.#reader.lastLt(address, options)
    ])
    return { name, address, balance, lt }
  }

  async #account({ name, address, balance, lt }: Mark): Promise<SheetAccount> {
    const options = { signal: this.#signal }
    const [after, transactions] = await Promise.all([
      this.#reader.balance(address, options),
      this.#reader.transactionsAfter(address, lt, options)
    ])
    return { name, address, before: balance, after, transactions }
  }

  #servedBy(peerId: string): NetworkProvider {
    const provider = this.#network.providers.find(entry => entry.peerId === peerId)
    if (provider === undefined) {
      throw new CocoonError(
        'internal',
        'SIMNET_OUTPUT_UNEXPECTED',
        `${peerId} answered, which is no provider of this simnet`
      )
    }
    return provider
  }
}

function requireClient({ client }: CocoonNode): NonNullable<CocoonNode['client']> {
  if (client === undefined) {
    throw new CocoonError('internal', 'INTERNAL', 'A node of the client role has no client')
  }
  return client
}

/** What `--json` prints. */
function resultObject(
  question: string,
  { text, provider, end }: DemoAnswer,
  close: ClosedChannel,
  sheet: BalanceSheet
) {
  return {
    question,
    answer: text,
    provider: { peerId: provider.peerId, tier: provider.tier },
    usage: { ...end.usage },
    finishReason: end.finishReason,
    costNano: end.cost,
    vouchers: end.vouchers,
    channel: provider.channel,
    paidNano: close.paid,
    closeTransaction: close.closeTransaction,
    ...sheetObject(sheet)
  }
}

function sheetObject({ accounts, before, after, fees }: BalanceSheet) {
  return {
    beforeNano: before,
    afterNano: after,
    feesNano: fees,
    accounts: accounts.map(account => ({
      name: account.name,
      address: account.address,
      beforeNano: account.before,
      afterNano: account.after,
      transactions: account.transactions.map(({ hash, received, sent, fee, forwardFee }) => ({
        hash,
        receivedNano: received,
        sentNano: sent,
        feeNano: fee,
        forwardFeeNano: forwardFee
      }))
    }))
  }
}
