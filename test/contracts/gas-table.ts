import { readFileSync } from 'node:fs'
import { findUp } from './find-up.ts'
import type { MeasuredMessage, MeasuredName } from './gas-measure.ts'

/** Pages that show the table, between the markers. */
export const GAS_PAGES = ['contracts/README.md', 'docs/payments.md'] as const

/** Gas and message prices announced in April 2026: a sixth of those before, which the sandbox still has. */
export const ANNOUNCED_DIVISOR = 6n

/**
 * What the same step takes in the reference FunC channel. A claim stands against its `challenge`: in both a signed total
 * is brought on chain while the other side may disagree.
 */
export const REFERENCE_GAS: Readonly<Partial<Record<MeasuredName, bigint>>> = {
  open: 9_454n,
  'claim by the payee': 15_386n,
  'claim by another': 15_386n,
  'external claim': 15_386n,
  'start close': 13_588n,
  'coop close by the payer': 14_460n,
  'coop close by the payer, paying the rest': 14_460n,
  'coop close by another': 14_460n
}

const FRACTION = '⅙ of the prices'

const BEGIN = '<!-- gas:begin -->'
const END = '<!-- gas:end -->'

/** The table of both measurements, one at the sandbox's prices and one at those announced. */
export function gasTable(rows: readonly MeasuredMessage[], announced: readonly MeasuredMessage[]): string {
  const lines = rows.map((row, index) => {
    const reference = REFERENCE_GAS[row.name]
    const share = reference === undefined ? '' : `${((100 * Number(row.gas)) / Number(reference)).toFixed(0)} %`
    const then = announced[index] ?? row
    const cells = [row.name, grouped(row.gas), reference === undefined ? '' : grouped(reference), share]
    return [...cells, ...[row.fee, then.fee, row.cost, then.cost].map(inTon)]
  })
  const head = [
    'message',
    'gas',
    'reference',
    'share',
    'fee, TON',
    `fee at ${FRACTION}`,
    'cost to the sender, TON',
    `cost at ${FRACTION}`
  ]
  return [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...lines]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n')
}

/** The page with this table between its markers. */
export function withGasTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) {
    throw new Error(`A page has no "${BEGIN}" before "${END}": put them where the gas table belongs`)
  }
  return `${page.slice(0, begin + BEGIN.length)}\n${table}\n${page.slice(end)}`
}

/** Pages whose table differs from this one. */
export function stalePages(table: string): string[] {
  return GAS_PAGES.filter(path => {
    const page = readFileSync(findUp(path), 'utf8')
    return withGasTable(page, table) !== page
  })
}

/** Rounded to five decimals. */
function inTon(amount: bigint): string {
  const units = (amount + 5_000n) / 10_000n
  return `${units / 100_000n}.${String(units % 100_000n).padStart(5, '0')}`
}

function grouped(value: bigint): string {
  return value.toLocaleString('en-US')
}
