import { formatTon } from '../src/core/nano-ton.ts'
import type { ClosedChannel } from '../src/index.ts'
import { type BalanceSheet, balanceSheet, type SheetAccount, type SheetTransaction } from './balance-sheet.ts'
import type { DemoAnswer, DemoAudience } from './demo-run.ts'
import type { NetworkProvider } from './network-file.ts'
import { fixedTon, type Screen, seconds } from './screen.ts'

const CHANNEL = 'channel'
const SHOWN_HASH = 16

/** Shows the demo to a person. */
export class DemoReport implements DemoAudience {
  readonly #screen: Screen
  readonly #providers: number

  constructor(screen: Screen, providers: number) {
    this.#screen = screen
    this.#providers = providers
  }

  begin(): void {
    const providers = `${this.#providers} ${this.#providers === 1 ? 'provider' : 'providers'}`
    this.#screen.heading(`Cocoon demo: one question, a mesh of ${providers}, paid per chunk`)
    this.#screen.warning(
      'The enclaves are SIMULATED: this shows the protocol, not confidentiality. The money is play money.'
    )
    this.#screen.heading('Network')
  }

  question(text: string): void {
    this.#screen.heading('Question', 'sealed to enclaves; the mesh sees ciphertext')
    this.#screen.lines(text)
  }

  answerBegins(): { write: (text: string) => void; close: () => void } {
    this.#screen.heading('Answer')
    return this.#screen.openStream()
  }

  answered({ provider, end }: DemoAnswer, servedBy: NetworkProvider): void {
    const { promptTokens, completionTokens } = end.usage
    this.#screen.heading('Price')
    this.#screen.facts([
      ['served by', `${servedBy.name} ${provider.peerId} (${provider.tier} enclave)`],
      ['model', servedBy.model.name],
      ['tokens', `${promptTokens} prompt, ${completionTokens} answer`],
      ['price', formatTon(end.cost)],
      ['signed', `${formatTon(end.paid)} in ${vouchers(end.vouchers)}, each ahead of at most one window of tokens`]
    ])
  }

  closed({ channel, paid, closeTransaction }: ClosedChannel): void {
    const what = `one message paid the provider ${formatTon(paid)} and gave the rest of the deposit back`
    this.#screen.heading('Settlement', what)
    this.#screen.facts([
      [CHANNEL, channel],
      ['close', closeTransaction]
    ])
  }

  sheet({ accounts }: BalanceSheet, close: ClosedChannel): void {
    // Those that nothing happened to were checked as well, and only take room here.
    const sheet = balanceSheet(accounts.filter(({ transactions }) => transactions.length > 0))
    this.#screen.heading('Balances', 'read from the chain, in TON')
    this.#screen.table(
      ['', 'before', 'after', 'change'],
      [
        ...sheet.accounts.map(({ name, before, after }) => [
          name,
          fixedTon(before),
          fixedTon(after),
          signed(after - before)
        ]),
        ['network fees', '', fixedTon(sheet.fees), signed(sheet.fees)],
        [
          'total',
          fixedTon(sheet.before),
          fixedTon(sheet.after + sheet.fees),
          fixedTon(sheet.after + sheet.fees - sheet.before)
        ]
      ]
    )
    this.#screen.heading('Fees', 'every transaction, in TON')
    this.#screen.table(
      ['account', 'what', 'transaction', 'fee', 'forwarding'],
      [
        ...transactionsInOrder(sheet.accounts).map(({ account, tx, first }) => [
          account.name,
          describe(account, tx, first, close),
          tx.hash.slice(0, SHOWN_HASH),
          fixedTon(tx.fee),
          fixedTon(tx.forwardFee)
        ]),
        ['sum', '', '', fixedTon(sum(sheet, 'fee')), fixedTon(sum(sheet, 'forwardFee'))]
      ],
      3
    )
    this.#screen.good(`Adds up to the nanoton: ${sheet.before} before = ${sheet.after} after + ${sheet.fees} fees`)
  }

  end(totalMs: number): void {
    this.#screen.heading(`Done in ${seconds(totalMs)}`, 'everything was stopped and removed')
    this.#screen.lines('Keep such a network: npx cocoon-node simnet up')
  }
}

function sum({ accounts }: BalanceSheet, field: 'fee' | 'forwardFee'): bigint {
  return accounts.flatMap(({ transactions }) => transactions).reduce((total, tx) => total + tx[field], 0n)
}

function vouchers(count: number): string {
  return `${count} ${count === 1 ? 'voucher' : 'vouchers'}`
}

function signed(change: bigint): string {
  return change > 0n ? `+${fixedTon(change)}` : fixedTon(change)
}

function transactionsInOrder(
  accounts: readonly SheetAccount[]
): Array<{ account: SheetAccount; tx: SheetTransaction; first: boolean }> {
  return accounts
    .flatMap(account => account.transactions.map((tx, index) => ({ account, tx, first: index === 0 })))
    .sort((a, b) => (a.tx.lt < b.tx.lt ? -1 : 1))
}

function describe(account: SheetAccount, tx: SheetTransaction, first: boolean, close: ClosedChannel): string {
  if (account.name === CHANNEL) {
    return tx.hash === close.closeTransaction ? 'close' : first ? 'open' : 'other'
  }
  return tx.received > 0n ? `gets ${formatTon(tx.received)}` : `sends ${formatTon(tx.sent)}`
}
