import fc from 'fast-check'
import { ton } from './channel-fixture.ts'
import type { ChannelModel } from './channel-stateful-model.ts'
import type { Body, Channel, Message, Party, SignedTotal } from './channel-stateful-types.ts'

/** Where a run stands: what a step is made concrete with. */
export interface Scene {
  channel: Channel
  /** Unix seconds. */
  now: number
  globalId: number
  /** Everything sent so far. */
  sent: readonly Message[]
  /** `openedLt` of earlier openings of the address, latest last. */
  earlier: readonly bigint[]
}

const by: fc.Arbitrary<Party> = fc.oneof(
  { weight: 5, arbitrary: fc.constant('payer' as const) },
  { weight: 5, arbitrary: fc.constant('payee' as const) },
  { weight: 3, arbitrary: fc.constant('stranger' as const) },
  { weight: 1, arbitrary: fc.constant('masterchain' as const) }
)
const delta = often(6, 0n, 1n, -1n)

const value = fc.oneof(
  { weight: 6, arbitrary: fc.record({ of: fc.constant('plenty' as const), more: fc.bigInt(0n, ton('0.2')) }) },
  { weight: 3, arbitrary: fc.record({ of: fc.constant('bound' as const), more: delta }) },
  { weight: 1, arbitrary: fc.record({ of: fc.constant('nothing' as const), more: fc.bigInt(0n, ton('0.006')) }) }
)

const init = often<Message['init']>(9, 'none', 'first', 'present')

/** How a message travels. */
const way = fc.record({
  value,
  init,
  bounce: often(8, true, false),
  bounced: often(40, false, true)
})

const total = fc.record({
  of: often<'share' | 'settled' | 'deposit' | 'fees'>(3, 'share', 'settled', 'deposit', 'deposit', 'fees'),
  thousandths: fc.integer({ min: 0, max: 1000 }),
  delta,
  flaw: often<Flaw>(14, 'none', 'signer', 'nobody', 'altered', 'network', 'channel', 'opening', 'purpose'),
  validFor: fc.constantFrom(3600, 60, 1, 0, -1)
})

type Flaw = 'none' | 'signer' | 'nobody' | 'altered' | 'network' | 'channel' | 'opening' | 'purpose'

const amount = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt(1n, ton('2')) },
  { weight: 2, arbitrary: fc.bigInt(1n, ton('0.02')) },
  { weight: 1, arbitrary: fc.constant(0n) }
)

const wait = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ until: fc.constant('later' as const), seconds: fc.integer({ min: 1, max: 90 }) })
  },
  {
    weight: 6,
    arbitrary: fc.record({ until: fc.constant('closeAt' as const), seconds: fc.integer({ min: -1, max: 1 }) })
  },
  {
    weight: 2,
    arbitrary: fc.record({ until: fc.constant('later' as const), seconds: fc.integer({ min: 1, max: 40 }).map(days) })
  },
  {
    weight: 2,
    arbitrary: fc.record({ until: fc.constant('later' as const), seconds: fc.integer({ min: 1, max: 6 }).map(years) })
  },
  {
    weight: 1,
    arbitrary: fc.record({ until: fc.constant('later' as const), seconds: fc.integer({ min: 12, max: 18 }).map(years) })
  }
)

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('claim' as const), by, total, way }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('external' as const), total, init }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('fund' as const),
      by: often<Party>(5, 'payer', 'payee', 'stranger'),
      amount,
      way
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('start' as const), by, way }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('finish' as const), by, way }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('coop' as const), by, total, way }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('replay' as const),
      index: fc.nat(),
      by,
      way,
      asExternal: often(3, false, true)
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('plain' as const, 'unknown' as const), by, way }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), wait }) }
)

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
type Way = typeof way extends fc.Arbitrary<infer T> ? T : never
type TotalChoice = typeof total extends fc.Arbitrary<infer T> ? T : never

/** How the payer opens and closes when nobody does anything odd. */
const PLAIN_WAY: Way = { value: { of: 'plenty', more: 0n }, init: 'first', bounce: true, bounced: false }

/**
 * Sometimes a stranger puts the code there first, and things happen to it. The payer opens, or tops up what is still
 * open, then anything happens, and often both sides agree to end it.
 */
const life = fc
  .record({
    strange: fc.option(fc.array(step, { maxLength: 8, size: 'max' }), { freq: 1 }),
    deposit: fc.bigInt(1n, ton('2')),
    steps: fc.array(step, { maxLength: 18, size: 'max' }),
    agreed: fc.option(fc.integer({ min: 0, max: 1000 }), { freq: 1 })
  })
  .map(({ strange, deposit, steps, agreed }): Step[] => [
    ...(strange === null ? [] : [funding('stranger', deposit), ...strange]),
    funding('payer', deposit),
    ...steps,
    ...(agreed === null ? [] : [closing(agreed)])
  ])

function funding(by: Party, amount: bigint): Step {
  return { do: 'fund', by, amount, way: PLAIN_WAY }
}

function closing(thousandths: number): Step {
  const total = { of: 'share', thousandths, delta: 0n, flaw: 'none', validFor: 60 } as const
  return { do: 'coop', by: 'payer', total, way: PLAIN_WAY }
}

/** A schedule over several openings of one address. */
export const schedule: fc.Arbitrary<Step[]> = fc
  .array(life, { minLength: 1, maxLength: 4, size: 'max' })
  .map(lives => lives.flat())

/** The message that a step is here and now, or the seconds to wait. */
export function resolve(given: Step, scene: Scene, model: ChannelModel): Message | number {
  switch (given.do) {
    case 'wait': {
      const seconds = given.wait.seconds + (given.wait.until === 'closeAt' ? scene.channel.closeAt - scene.now : 0)
      return Math.max(0, Math.min(seconds, LAST_SECOND - scene.now))
    }
    case 'fund':
      return send({ op: 'fund', amount: given.amount }, given.by, given.way, scene, model)
    case 'claim':
    case 'coop':
      return send(
        { op: given.do, total: choose(given.total, given.do, scene, model) },
        given.by,
        given.way,
        scene,
        model
      )
    case 'external':
      return external({ op: 'claim', total: choose(given.total, 'claim', scene, model) }, given.init)
    case 'replay': {
      const again = scene.sent[given.index % Math.max(1, scene.sent.length)]?.body ?? { op: 'plain' }
      return given.asExternal ? external(again, 'none') : send(again, given.by, given.way, scene, model)
    }
    default:
      return send({ op: given.do }, given.by, given.way, scene, model)
  }
}

function external(body: Body, init: Message['init']): Message {
  return { from: 'external', value: 0n, body, init, bounce: false, bounced: false }
}

function send(
  body: Body,
  from: Party,
  { value: choice, init, bounce, bounced }: Way,
  scene: Scene,
  model: ChannelModel
): Message {
  const least =
    body.op === 'fund'
      ? model.fundValue(scene.channel, body.amount)
      : body.op === 'plain' || body.op === 'unknown'
        ? 0n
        : model.bound(body.op)
  const base = { plenty: least + ton('0.05'), bound: least, nothing: 0n }[choice.of] + choice.more
  const amountSent = base > 0n ? base : 0n
  return { from, value: amountSent, body, init, bounce: bounce && !bounced, bounced }
}

function choose(choice: TotalChoice, op: 'claim' | 'coop', scene: Scene, model: ChannelModel): SignedTotal {
  const { channel, now, globalId, earlier } = scene
  const { flaw } = choice
  const [purpose, signer] = op === 'claim' ? (['voucher', 'payer'] as const) : (['statement', 'payee'] as const)
  const base = {
    share: channel.settled + ((channel.deposit - channel.settled) * BigInt(choice.thousandths)) / 1000n,
    settled: channel.settled,
    deposit: channel.deposit,
    fees: channel.settled + model.externalBound()
  }[choice.of]
  const sum = base + choice.delta
  return {
    purpose: flaw === 'purpose' ? (purpose === 'voucher' ? 'statement' : 'voucher') : purpose,
    globalId: flaw === 'network' ? globalId - 1 : globalId,
    channel: flaw === 'channel' ? 'another' : 'this',
    openedLt: flaw === 'opening' ? (earlier.at(-1) ?? 1n) : channel.openedLt,
    cumulative: sum > 0n ? sum : 0n,
    validUntil: now + choice.validFor,
    signer: flaw === 'nobody' ? 'nobody' : flaw === 'signer' ? (signer === 'payer' ? 'payee' : 'payer') : signer,
    altered: flaw === 'altered'
  }
}

/** Account times are 32 bits. */
const LAST_SECOND = 4_200_000_000

function days(count: number): number {
  return count * 86_400
}

function years(count: number): number {
  return days(count * 365)
}

/** Mostly the first. */
function often<T>(weight: number, first: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight, arbitrary: fc.constant(first) },
    { weight: others.length, arbitrary: fc.constantFrom(...others) }
  )
}

/** The same steps with nothing that only the network could do. */
export function withoutForgery(steps: Step[]): Step[] {
  return steps.map(given => ('way' in given ? { ...given, way: { ...given.way, bounced: false } } : given))
}
