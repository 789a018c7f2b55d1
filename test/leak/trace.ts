/** One message as an onlooker sees it: no content, only when it passed, how large it was and which way it went. */
export interface Seen {
  /** Since the question was sent, or the first message. */
  ms: number
  bytes: number
  up?: boolean
}

export interface Trace {
  /** Place in the list of prompt classes. */
  label: number
  seen: readonly Seen[]
}

/** Upper bounds of the histogram of gaps, in milliseconds. */
const GAP_BOUNDS = [0.5, 1, 2, 5, 8, 12, 16, 20, 25, 30, 40, 60, 95, 99, 99.9, 100.1, 101, 105, 150, 250]
/** Messages whose sizes and gaps are looked at one by one. */
const FIRST = 32

/** What a classifier is shown of a trace. Each direction is told by itself, then each message from the first on. */
export function featuresOf({ seen }: Trace): number[] {
  const down = seen.filter(({ up }) => up !== true)
  const up = seen.filter(message => message.up === true)
  const firsts = Array.from({ length: FIRST }, (_, at) => [down[at]?.bytes ?? 0, gap(down, at)]).flat()
  return [...summary(down), ...summary(up), ...firsts]
}

function summary(messages: readonly Seen[]): number[] {
  const sizes = messages.map(({ bytes }) => bytes)
  const gaps = messages.map((_, at) => gap(messages, at)).slice(1)
  const buckets = Array.from({ length: GAP_BOUNDS.length + 1 }, () => 0)
  for (const value of gaps) {
    const at = GAP_BOUNDS.findIndex(bound => value < bound)
    const bucket = at < 0 ? GAP_BOUNDS.length : at
    buckets[bucket] = (buckets[bucket] ?? 0) + 1
  }
  const first = messages[0]?.ms ?? 0
  const last = messages.at(-1)?.ms ?? 0
  return [
    messages.length,
    sum(sizes),
    first,
    last - first,
    mean(sizes),
    deviation(sizes),
    Math.max(0, ...sizes),
    mean(gaps),
    deviation(gaps),
    Math.max(0, ...gaps),
    ...buckets
  ]
}

function gap(messages: readonly Seen[], at: number): number {
  const [before, message] = [messages[at - 1], messages[at]]
  return before === undefined || message === undefined ? 0 : message.ms - before.ms
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length
}

function deviation(values: readonly number[]): number {
  const middle = mean(values)
  return Math.sqrt(mean(values.map(value => (value - middle) ** 2)))
}
