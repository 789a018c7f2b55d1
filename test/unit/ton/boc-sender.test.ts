import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ChainRpc } from '../../../src/ton/chain-rpc.ts'
import { ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'
import { TestServers } from './test-servers.ts'

const BOC = Buffer.from('a message')

interface Outcome {
  code: string | undefined
  sent: boolean | undefined
  duplicate: boolean | undefined
}

const REFUSED = new ToncenterFailure(
  'HTTP 500, LITE_SERVER_UNKNOWN: cannot apply external message to current state : External message was not accepted',
  { status: 500 }
)
const DUPLICATE = new ToncenterFailure(
  'HTTP 500, LITE_SERVER_UNKNOWN: cannot apply external message to current state : Duplicate msg_seqno',
  { status: 500 }
)
const LOST = new ToncenterFailure('no answer within 10 s')
const DOWN = new ToncenterFailure('ECONNREFUSED', { notSent: true })
const BUSY = new ToncenterFailure('HTTP 429', { status: 429 })
const BROKEN = new ToncenterFailure('HTTP 502', { status: 502 })

describe('ChainRpc.sendBoc', () => {
  let world: TestServers
  let rpc: ChainRpc
  /** What each server does with the messages handed to it, in order; then it takes them. */
  let fates: ToncenterFailure[][]

  before(async () => {
    world = await TestServers.create(3)
  })

  /** A new start over so many servers. */
  async function open(...servers: ToncenterFailure[][]): Promise<void> {
    fates = servers
    for (const { requests, faults } of world.servers) {
      requests.length = 0
      faults.wrongNetwork = false
    }
    servers.forEach((_, index) => {
      const server = world.server(index)
      server.faults.dropSends = true
      server.before = method => (method === 'sendBoc' ? fates[index]?.shift() : undefined)
    })
    rpc = world.rpc(among())
    await world.time.run(rpc.tip())
  }

  function among(): { endpoint: string; fallbacks: Array<{ endpoint: string }> } {
    const [first, ...fallbacks] = fates.map((_, index) => ({
      endpoint: world.server(index).url,
      requestsPerSecond: 1_000
    }))
    return { endpoint: '', ...first, fallbacks }
  }

  async function send(boc = BOC): Promise<Outcome> {
    return world.time.run(
      rpc.sendBoc(boc).then(
        () => ({ code: 'taken', sent: undefined, duplicate: undefined }),
        (err: { code?: string; details?: { sent?: boolean; duplicate?: boolean } }) => ({
          code: err.code,
          sent: err.details?.sent,
          duplicate: err.details?.duplicate
        })
      )
    )
  }

  const handed = (): number[] => fates.map((_, index) => world.server(index).count('sendBoc'))

  it('hands a message to one server, and to the next only if that does not take it', async () => {
    await open([], [])
    assert.equal((await send()).code, 'taken')
    assert.deepEqual(handed(), [1, 0])
    for (const failure of [DOWN, LOST, BROKEN, REFUSED]) {
      await open([failure], [])
      assert.equal((await send()).code, 'taken', failure.message)
      assert.deepEqual(handed(), [1, 1])
    }
  })

  it('never hands a message twice to one server that may have it', async () => {
    for (const failure of [LOST, BROKEN, DUPLICATE, REFUSED]) {
      await open([failure])
      await send()
      assert.deepEqual(handed(), [1], failure.message)
    }
  })

  it('hands it again to a server that only said it was too busy', async () => {
    await open([BUSY, BUSY])
    assert.equal((await send()).code, 'taken')
    assert.deepEqual(handed(), [3])
  })

  it('promises that nothing was sent where nobody was reached or everybody refused', async () => {
    await open([DOWN], [DOWN])
    assert.deepEqual(await send(), { code: 'CHAIN_UNREACHABLE', sent: false, duplicate: undefined })
    await open([REFUSED], [REFUSED])
    assert.deepEqual(await send(), { code: 'CHAIN_REFUSED', sent: false, duplicate: undefined })
    await open([DOWN], [REFUSED])
    assert.deepEqual(await send(), { code: 'CHAIN_REFUSED', sent: false, duplicate: undefined })
  })

  it('promises nothing where one server may have it, whatever the others say', async () => {
    for (const order of [
      [LOST, REFUSED],
      [REFUSED, LOST],
      [LOST, DOWN],
      [DOWN, BROKEN]
    ] as const) {
      await open([order[0]], [order[1]])
      assert.deepEqual(await send(), { code: 'CHAIN_UNREACHABLE', sent: undefined, duplicate: undefined })
    }
  })

  it('promises nothing where an earlier call may have sent it', async () => {
    await open([LOST, REFUSED])
    assert.equal((await send()).sent, undefined)
    await world.time.pass(1_000)
    assert.deepEqual(await send(), { code: 'CHAIN_UNREACHABLE', sent: undefined, duplicate: undefined })
    await open([], [])
    assert.equal((await send()).code, 'taken')
    fates[0] = [REFUSED]
    fates[1] = [REFUSED]
    assert.equal((await send()).sent, undefined)
    // Another message has its own fate.
    fates[0] = [REFUSED]
    fates[1] = [REFUSED]
    assert.equal((await send(Buffer.from('another'))).sent, false)
  })

  it('promises nothing where an earlier call may have sent it and now nobody can be asked', async () => {
    await open([LOST])
    assert.equal((await send()).sent, undefined)
    world.server(0).before = () => BROKEN
    for (let failure = 0; failure < 8; failure++) {
      await world.time.pass(20_000)
      await assert.rejects(world.time.run(rpc.tip()))
    }
    assert.deepEqual(await send(), { code: 'CHAIN_UNREACHABLE', sent: undefined, duplicate: undefined })
    assert.equal((await send(Buffer.from('another'))).sent, false)
    assert.deepEqual(handed(), [1])
  })

  it('tells a used seqno apart, and promises nothing: it may have been this very message', async () => {
    const words = 'HTTP 500, cannot apply external message to current state : exitcode=133, steps=49, gas_used=0'
    for (const failure of [DUPLICATE, new ToncenterFailure(words, { status: 500 })]) {
      await open([failure])
      assert.deepEqual(await send(), { code: 'CHAIN_REFUSED', sent: undefined, duplicate: true })
    }
  })

  it('sends nothing to servers that may not be believed', async () => {
    await open([], [])
    world.server(0).faults.wrongNetwork = true
    world.server(1).faults.wrongNetwork = true
    rpc = world.rpc(among())
    assert.deepEqual(await send(), { code: 'CHAIN_WRONG_NETWORK', sent: false, duplicate: undefined })
    assert.deepEqual(handed(), [0, 0])
  })

  it('promises that nothing was sent to one who gives up before it could be, and nothing afterwards', async () => {
    await open([])
    rpc = world.rpc({ ...among(), requestsPerSecond: 1 })
    const early = new AbortController()
    const sending = rpc.sendBoc(BOC, { signal: early.signal })
    early.abort()
    await assert.rejects(sending, (err: { code?: string; details?: { sent?: boolean } }) => {
      assert.deepEqual([err.code, err.details?.sent], ['CANCELLED', false])
      return true
    })
    await world.time.pass(10_000)
    assert.deepEqual(handed(), [0])
    const late = new AbortController()
    world.server(0).before = method => {
      if (method === 'sendBoc') {
        late.abort()
      }
      return undefined
    }
    await assert.rejects(
      world.time.run(rpc.sendBoc(BOC, { signal: late.signal })),
      (err: { code?: string; details?: { sent?: boolean } }) => {
        assert.deepEqual([err.code, err.details?.sent], ['CANCELLED', undefined])
        return true
      }
    )
  })

  it('promises nothing about a message that any server took, over any series of failures', async () => {
    // A message that is taken, and whose answer is lost, is with a server.
    const kind = fc.constantFrom('takes', 'takes, answer lost', 'refuses', 'down', 'busy', 'never arrives')
    const series = fc.array(fc.array(kind, { minLength: 0, maxLength: 4 }), { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(series, fc.integer({ min: 1, max: 4 }), async (plans, calls) => {
        await open(...plans.map(() => []))
        let isWithServer = false
        plans.forEach((plan, index) => {
          const left = [...plan]
          const failures = { refuses: REFUSED, down: DOWN, busy: BUSY, 'never arrives': LOST }
          world.server(index).before = method => {
            const next = method === 'sendBoc' ? (left.shift() ?? 'takes') : 'other'
            isWithServer ||= next === 'takes' || next === 'takes, answer lost'
            return next === 'takes, answer lost' ? BROKEN : failures[next as keyof typeof failures]
          }
        })
        for (let call = 0; call < calls; call++) {
          const { code, sent } = await send()
          assert.ok(sent !== false || !isWithServer, `${code} promised that nothing was sent`)
          assert.ok(code !== 'taken' || isWithServer)
          await world.time.pass(40_000)
        }
      }),
      { numRuns: 200 }
    )
  })
})
