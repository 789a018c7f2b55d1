import { formatTonAmount } from '../src/core/nano-ton.ts'

/** ECMA-48 SGR: on and off. */
const STYLES = { bold: [1, 22], dim: [2, 22], green: [32, 39], yellow: [33, 39] } as const

const INDENT = '  '
const DECIMALS = 9

/** Colours where a person looks: not in a pipe, not with NO_COLOR, not on a dumb terminal. */
export function usesColour(stdout: { isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>): boolean {
  return stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

/** The words of the demo's screen. */
export class Screen {
  readonly #colour: boolean
  readonly #write: (text: string) => void

  constructor(write: (text: string) => void, colour: boolean) {
    this.#write = write
    this.#colour = colour
  }

  heading(title: string, aside = ''): void {
    this.#write(`\n${this.#style('bold', title)}${aside === '' ? '' : this.#style('dim', `  ${aside}`)}\n`)
  }

  lines(text: string): void {
    this.#write(text.replaceAll(/^(?=.)/gm, INDENT).replace(/\n*$/, '\n'))
  }

  warning(text: string): void {
    this.#write(`${this.#style('yellow', text)}\n`)
  }

  good(text: string): void {
    this.#write(`${INDENT}${this.#style('green', text)}\n`)
  }

  /** `name   value`, one a line. */
  facts(facts: ReadonlyArray<readonly [name: string, value: string]>): void {
    const width = Math.max(...facts.map(([name]) => name.length))
    this.lines(facts.map(([name, value]) => `${this.#style('dim', name.padEnd(width))}  ${value}`).join('\n'))
  }

  /** Text that comes in pieces. */
  openStream(): { write: (text: string) => void; close: () => void } {
    this.#write(INDENT)
    return {
      write: text => this.#write(text.replaceAll('\n', `\n${INDENT}`)),
      close: () => this.#write('\n')
    }
  }

  /** First column to the left, the others to the right. */
  table(header: readonly string[], rows: ReadonlyArray<readonly string[]>, leftColumns = 1): void {
    const all = [header, ...rows]
    const widths = header.map((_, column) => Math.max(...all.map(row => (row[column] ?? '').length)))
    const line = (row: readonly string[]): string =>
      row
        .map((cell, column) =>
          column < leftColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
        )
        .join('  ')
        .trimEnd()
    this.lines([this.#style('dim', line(header)), ...rows.map(line)].join('\n'))
  }

  #style(style: keyof typeof STYLES, text: string): string {
    const [on, off] = STYLES[style]
    return this.#colour ? `\u001b[${on}m${text}\u001b[${off}m` : text
  }
}

/** Whole coins with all nine decimals, so that columns of them can be added by eye. */
export function fixedTon(amount: bigint): string {
  const [whole = '', fraction = ''] = formatTonAmount(amount).split('.')
  return `${whole}.${fraction.padEnd(DECIMALS, '0')}`
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
