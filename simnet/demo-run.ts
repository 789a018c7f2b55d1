import type * as z from 'zod'
import { CocoonError } from '../src/core/errors.ts'
import { type BalanceSheet, balanceSheet, type SheetAccount } from './balance-sheet.ts'
import { ChainReader } from './chain-reader.ts'
import { answerEnd, answerProvider, answerText, closedChannel, readEvent, requireEvent } from './cli-output.ts'
import type { Network, NetworkProvider } from './network-file.ts'
import type { Phases } from './phases.ts'
import { runCli } from './process/run-cli.ts'

export interface DemoAnswer {
  text: string
  provider: z.output<typeof answerProvider>
  end: z.output<typeof answerEnd>
}

export type DemoClose = z.output<typeof closedChannel>

/** Who is told what happens, as it does. */
export interface DemoAudience {
  question(text: string): void
  /** Returns what takes the answer's pieces. */
  answerBegins(): { write: (text: string) => void; close: () => void }
  answered(answer: DemoAnswer, servedBy: NetworkProvider): void
  closed(close: DemoClose): void
  sheet(sheet: BalanceSheet, close: DemoClose): void
}

interface Mark {
  name: string
  address: string
  balance: bigint
  lt: bigint
}

/** The middle of the demo, on a network that is up: everything through the CLI and the chain's public API. */
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
    const { clientWallet, providers } = this.#network
    const marks = await Promise.all([
      this.#mark('client wallet', clientWallet),
      ...providers.map(({ name, wallet }) => this.#mark(`${name} wallet`, wallet))
    ])
    this.#audience.question(question)
    const answer = await this.#phases.time('answer', () => this.#ask(question))
    this.#audience.answered(answer, this.#servedBy(answer.provider.peerId))
    const close = await this.#phases.time('close', () => this.#close(answer.provider.channel))
    this.#audience.closed(close)
    // The channel was opened for this question: it had nothing before.
    const channel: Mark = { name: 'channel', address: close.channel, balance: 0n, lt: 0n }
    const sheet = await this.#phases.time('sheet', () => this.#balance([...marks, channel], close))
    this.#audience.sheet(sheet, close)
    return { question, answer: answer.text, provider: answer.provider, end: answer.end, close, sheet: sheetObject(sheet) }
  }

  async #ask(question: string): Promise<DemoAnswer> {
    const digest = this.#network.providers[0]?.model.digest ?? ''
    const stream = this.#audience.answerBegins()
    let text = ''
    const take = (piece: string | undefined): void => {
      if (piece !== undefined) {
        text += piece
        stream.write(piece)
      }
    }
    try {
      // The question goes through a pipe: arguments are seen by everyone on the machine.
      const events = await runCli(['ask', '--stream-json', '--home', this.#network.clientHome, '--model', digest, '-'], {
        signal: this.#signal,
        input: question,
        onEvent: event => take(readEvent(answerText, event)?.text)
      })
      return { text, provider: requireEvent(answerProvider, events, 'ask'), end: requireEvent(answerEnd, events, 'ask') }
    } finally {
      stream.close()
    }
  }

  async #close(channel: string): Promise<DemoClose> {
    const events = await runCli(['channel', 'close', channel, '--json', '--home', this.#network.clientHome], { signal: this.#signal })
    return requireEvent(closedChannel, events, 'channel close')
  }

  async #balance(marks: readonly Mark[], close: DemoClose): Promise<BalanceSheet> {
    const accounts = await Promise.all(marks.map(mark => this.#account(mark)))
    const hashes = new Set(accounts.flatMap(({ transactions }) => transactions.map(({ hash }) => hash)))
    for (const transaction of [close.claimTransaction, close.closeTransaction]) {
      if (!hashes.has(transaction)) {
        throw new CocoonError('money', 'SIMNET_TRANSACTION_MISSING', `The chain has no transaction "${transaction}" that the node reported: this is a bug`, {
          details: { transaction }
        })
      }
    }
    return balanceSheet(accounts)
  }

  async #mark(name: string, address: string): Promise<Mark> {
    const options = { signal: this.#signal }
    const [balance, lt] = await Promise.all([this.#reader.balance(address, options), this.#reader.lastLt(address, options)])
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
      throw new CocoonError('internal', 'SIMNET_OUTPUT_UNEXPECTED', `${peerId} answered, which is no provider of this simnet`)
    }
    return provider
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
