import assert from 'node:assert/strict'
import { beginCell } from '@ton/core'
import fc from 'fast-check'
import { sha256 } from '../../../src/core/bytes.ts'
import { type AccountView, ChainRpc } from '../../../src/ton/chain-rpc.ts'
import { RateLimit } from '../../../src/ton/rate-limit.ts'
import type { ToncenterTransport } from '../../../src/ton/toncenter-client.ts'
import { ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'
import type { Sleep } from '../../../src/ton/wait.ts'

const ADDRESS = `0:${'ab'.repeat(32)}`
const START_SECOND = 1_800_000_000

/** A block a second, a transaction every third. */
function accountAt(seqno: number): object {
  const lt = Math.floor(seqno / 3) * 3
  return {
    balance: String(1_000 + lt),
    state: 'uninitialized',
    code: '',
    data: '',
    last_transaction_id: { lt: String(lt), hash: base64(`transaction ${lt}`) },
    block_id: { workchain: -1, seqno, root_hash: base64(`block ${seqno}`) },
    sync_utime: START_SECOND + seqno
  }
}

function base64(text: string): string {
  return Buffer.from(sha256(text)).toString('base64')
}

/** What a server does with a request. */
type Fate = 'answers' | 'fails' | 'complains' | { lags: number }

const fate = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fate>('answers') },
  { weight: 1, arbitrary: fc.constant<Fate>('fails') },
  { weight: 1, arbitrary: fc.constant<Fate>('complains') },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 25 }).map((lags): Fate => ({ lags })) }
)

/** Servers whose answers and timers come in the order that the scheduler says. */
class ScheduledServers {
  readonly #scheduler: fc.Scheduler
  readonly #plans: Fate[][]
  nowMs = START_SECOND * 1_000 + 100_000
  readonly asked: string[] = []
  readonly underWay = new Map<string, number>()

  constructor(scheduler: fc.Scheduler, plans: Fate[][]) {
    this.#scheduler = scheduler
    this.#plans = plans.map(plan => [...plan])
  }

  sleep: Sleep = async (ms, { signal } = {}) => {
    const endMs = this.nowMs + ms
    await this.#scheduler.schedule(Promise.resolve(), `sleep ${Math.round(ms)}`)
    signal?.throwIfAborted()
    this.nowMs = Math.max(this.nowMs, endMs)
  }

  transport: ToncenterTransport = async ({ url, method, params }) => {
    const server = Number(url.at(-1))
    this.asked.push(`${server} ${method} ${JSON.stringify(params['config_id'] ?? '')}`)
    // What a server shows is from some moment between question and answer.
    await this.#scheduler.schedule(Promise.resolve(), `${method} reaches ${server}`)
    const next = method === 'getConfigParam' ? 'answers' : (this.#plans[server]?.shift() ?? 'answers')
    const seqno = Math.floor(this.nowMs / 1_000) - START_SECOND
    await this.#scheduler.schedule(Promise.resolve(), `${method} is answered by ${server}`)
    if (next === 'fails' || next === 'complains') {
      throw new ToncenterFailure('fault', { status: next === 'fails' ? 502 : 429 })
    }
    if (method === 'getConfigParam') {
      return { config: { bytes: beginCell().storeInt(-217, 32).endCell().toBoc().toString('base64') } }
    }
    return accountAt(seqno - (typeof next === 'object' ? next.lags : 0))
  }
}

describe('concurrent reads over servers that fail and lag', () => {
  it('P53 never show an account older than one shown before, and all end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.array(fate, { maxLength: 8 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 2, max: 5 }),
        async (scheduler, plans, readers) => {
          const servers = new ScheduledServers(scheduler, plans)
          const [first, ...fallbacks] = plans.map((_, index) => ({ endpoint: `http://server-${index}` }))
          const rpc = new ChainRpc(
            {
              clock: { nowMs: () => servers.nowMs },
              sleep: servers.sleep,
              random: { bytes: length => new Uint8Array(length) },
              transport: servers.transport
            },
            { endpoint: '', ...first, fallbacks, globalId: -217 }
          )
          const shown: AccountView[] = []
          let failed = 0
          const read = async (): Promise<void> => {
            for (let time = 0; time < 2; time++) {
              try {
                shown.push(await rpc.account(ADDRESS))
              } catch (err) {
                failed++
                assert.equal((err as { code?: string }).code, 'CHAIN_UNREACHABLE')
              }
            }
          }
          await scheduler.waitFor(Promise.all(Array.from({ length: readers }, read)))
          assert.equal(shown.length + failed, readers * 2)
          for (const [index, view] of shown.entries()) {
            const before = shown[index - 1]
            assert.ok(before === undefined || (view.lastLt >= before.lastLt && view.blockSeqno >= before.blockSeqno))
            assert.ok(before === undefined || view.asOfMs >= before.asOfMs)
            assert.equal(view.balance, 1_000n + view.lastLt)
          }
          for (const [server] of plans.entries()) {
            const checks = servers.asked.filter(text => text === `${server} getConfigParam 19`)
            assert.ok(checks.length <= 1, `server ${server} was asked for its network ${checks.length} times`)
          }
        }
      ),
      { numRuns: 400 }
    )
  })

  it('never have more tokens than there are, and lose none by giving up', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
        async (scheduler, stay) => {
          const servers = new ScheduledServers(scheduler, [])
          const bucket = new RateLimit({ clock: { nowMs: () => servers.nowMs }, sleep: servers.sleep }, 1)
          const startMs = servers.nowMs
          let taken = 0
          const takers = stay.map(async patient => {
            const controller = new AbortController()
            if (!patient) {
              void scheduler.schedule(Promise.resolve(), 'gives up').then(() => controller.abort())
            }
            await bucket.take({ signal: controller.signal }).then(
              () => {
                taken++
                assert.ok(taken <= 1 + (servers.nowMs - startMs) / 1_000 + 1e-6, `${taken} tokens`)
              },
              (err: { code?: string }) => assert.equal(err.code, 'CANCELLED')
            )
          })
          await scheduler.waitFor(Promise.all(takers))
          assert.ok(taken >= stay.filter(patient => patient).length)
          // Nobody is left waiting in front of the next one.
          await scheduler.waitFor(bucket.take())
        }
      )
    )
  })
})
