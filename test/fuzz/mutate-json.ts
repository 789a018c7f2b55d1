import { mutate } from './mutate.ts'
import { changed } from './mutate-fields.ts'
import type { FuzzRandom } from './random.ts'

/** A value in a JSON text: where it stands, and where what names it begins. */
interface Slot {
  readonly start: number
  readonly end: number
  /** Where its key begins, or itself in a list. */
  readonly from: number
  readonly inList: boolean
}

/** JSON text, taken apart once to be damaged often. */
export interface JsonDocument {
  readonly text: string
  readonly slots: readonly Slot[]
}

/** Damages bytes that stand in a text as base64 or hex. */
export type InnerMutation = (random: FuzzRandom, bytes: Uint8Array) => Uint8Array

const NUMBERS = [
  '0',
  '-0',
  '-1',
  '1',
  '1.5',
  '1e3',
  '1e400',
  '-1e400',
  '9007199254740991',
  '9007199254740992',
  '1'.repeat(400),
  '4294967295',
  '4294967296',
  '2147483648',
  '0.1e-400',
  '01',
  '+1',
  '0x10',
  'NaN'
]
const ODD = [
  'null',
  'true',
  'false',
  '""',
  '[]',
  '{}',
  '[null]',
  '{"":0}',
  '{"__proto__":{"type":"tdx"}}',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  '[[[[[[[[[[]]]]]]]]]]',
  'undefined',
  "''",
  '"\u{1f600}"'
]
const KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'type', 'version', 'length', '', 'then', '0']

export function readJsonDocument(text: string): JsonDocument {
  const slots: Slot[] = []
  let at = 0
  const space = (): void => {
    while (/\s/.test(text.charAt(at)) && at < text.length) {
      at++
    }
  }
  // Only for JSON: in anything else it would look for an end that does not come.
  const expectMore = (): void => {
    if (at >= text.length) {
      throw new RangeError('A document to be damaged is not JSON')
    }
  }
  const string = (): void => {
    for (at++; text[at] !== '"'; at++) {
      at += text[at] === '\\' ? 1 : 0
      expectMore()
    }
    at++
  }
  const value = (from: number, inList: boolean): void => {
    space()
    const start = at
    const open = text[at]
    if (open === '"') {
      string()
    } else if (open === '{' || open === '[') {
      const close = open === '{' ? '}' : ']'
      at++
      for (space(); text[at] !== close; space()) {
        expectMore()
        if (text[at] === ',') {
          at++
          space()
        }
        const member = at
        if (open === '{') {
          string()
          space()
          at++
          space()
        }
        value(open === '{' ? member : at, open === '[')
      }
      at++
    } else {
      at += /^[^,\]}\s]+/.exec(text.slice(at))?.[0].length ?? 1
    }
    slots.push({ start, end: at, from, inList })
  }
  value(0, true)
  return { text, slots }
}

/** The text with one to three of its values damaged: as UTF-8, or what is not. */
export function mutateJson(random: FuzzRandom, corpus: readonly JsonDocument[], inner?: InnerMutation): Uint8Array {
  const document = random.pick(corpus)
  if (random.below(10) === 0 || document.slots.length < 2) {
    return mutate(
      random,
      corpus.map(({ text }) => Buffer.from(text))
    ).bytes
  }
  let text = document.text
  const chosen = Array.from({ length: 1 + Math.floor(random.below(5) / 4) }, () => random.pick(document.slots))
  // From the end, so that what stands before keeps its place; nothing inside of what was replaced.
  let before = Number.POSITIVE_INFINITY
  for (const slot of chosen.toSorted((a, b) => b.start - a.start)) {
    if (slot.end < before) {
      text = damaged(random, text, slot, corpus, inner)
      before = slot.from
    }
  }
  const bytes = Buffer.from(text)
  if (random.below(40) === 0 && bytes.length > 0) {
    bytes[random.below(bytes.length)] = random.pick([0x80, 0xc0, 0xff, 0xed, 0x00])
  }
  return new Uint8Array(bytes)
}

function damaged(
  random: FuzzRandom,
  text: string,
  slot: Slot,
  corpus: readonly JsonDocument[],
  inner: InnerMutation | undefined
): string {
  const { start, end, from, inList } = slot
  const written = text.slice(start, end)
  const put = (replacement: string): string => text.slice(0, start) + replacement + text.slice(end)
  switch (random.below(12)) {
    case 0: {
      // With the comma on one of its sides.
      const after = text[end] === ','
      return text.slice(0, after || text[from - 1] !== ',' ? from : from - 1) + text.slice(after ? end + 1 : end)
    }
    case 1:
      return `${text.slice(0, end)},${text.slice(from)}`
    case 2:
      return put(random.pick(ODD))
    case 3:
      return put(random.pick(NUMBERS))
    case 4: {
      const other = random.pick(corpus)
      const taken = random.pick(other.slots)
      return put(other.text.slice(taken.start, taken.end))
    }
    case 5:
      return inList
        ? put(`${'['.repeat(1 + random.below(4_000))}${written}`)
        : `${text.slice(0, from)}${JSON.stringify(random.pick(KEYS))}:${text.slice(start)}`
    case 6: {
      const levels = 1 + random.below(random.pick([3, 50, 6_000]))
      return random.below(2) === 0
        ? put(`${'['.repeat(levels)}${written}${']'.repeat(levels)}`)
        : put(`${'{"a":'.repeat(levels)}${written}${'}'.repeat(levels)}`)
    }
    case 7:
      return put(Array.from({ length: 1 + random.below(300) }, () => written).join())
    case 8:
      return put(written.toUpperCase())
    default:
      return put(changedValue(random, written, inner))
  }
}

function changedValue(random: FuzzRandom, written: string, inner: InnerMutation | undefined): string {
  if (/^-?\d+$/.test(written)) {
    return String(changed(random, Number(written), 100))
  }
  if (!written.startsWith('"')) {
    return random.pick(ODD)
  }
  const content = written.slice(1, -1)
  const encoding = /^(?:[0-9a-f]{2}){4,}$/i.test(content) ? 'hex' : isBase64(content) ? 'base64' : undefined
  if (encoding !== undefined && random.below(4) > 0) {
    const bytes = new Uint8Array(Buffer.from(content, encoding))
    const changedBytes =
      inner !== undefined && random.below(4) > 0 ? inner(random, bytes) : mutate(random, [bytes]).bytes
    return `"${Buffer.from(changedBytes).toString(encoding)}"`
  }
  // Inside of a JSON string: what it says stays readable more often than not.
  const at = random.below(content.length + 1)
  const added = random.pick(['', 'a', '0', 'f', ' ', '\\n', '\\u0000', '=', '\\u00e9', 'Z', '-', '/'])
  return `"${content.slice(0, at)}${added}${content.slice(at + random.below(3))}"`
}

function isBase64(text: string): boolean {
  return (
    text.length >= 16 && text.length % 4 === 0 && /^[0-9A-Za-z+/]+={0,2}$/.test(text.slice(0, 100) + text.slice(-4))
  )
}
