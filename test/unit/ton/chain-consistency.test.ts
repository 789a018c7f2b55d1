import assert from 'node:assert/strict'
import { beginCell } from '@ton/core'
import { ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'
import { TestServers } from './test-servers.ts'

const ADDRESS = `0:${'ab'.repeat(32)}`

type Json = Record<string, unknown>

const code = (expected: string) => (err: { code?: string }) => err.code === expected

/** Everything that can be asked. */
function requestsOf(rpc: ReturnType<TestServers['rpc']>): Array<() => Promise<unknown>> {
  return [
    async () => rpc.account(ADDRESS),
    async () => rpc.tip(),
    async () => rpc.transactions(ADDRESS),
    async () => rpc.configParam(20),
    async () => rpc.sendBoc(Buffer.from('x')),
    async () => rpc.blockHash(1)
  ]
}

describe('ChainRpc over servers that lag', () => {
  it('P53 waits until a server that is behind shows what was seen before', async () => {
    const world = await TestServers.create(1)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    const { lastLt } = await world.time.run(rpc.account(ADDRESS))
    await world.time.pass(3_000)
    await world.fund(ADDRESS)
    const after = await world.time.run(rpc.account(ADDRESS))
    assert.ok(after.lastLt > lastLt)
    // From here on the same address leads to a replica some blocks behind.
    world.server(0).faults.lagBlocks = 6
    const startMs = world.time.nowMs()
    const again = await world.time.run(rpc.account(ADDRESS))
    assert.deepEqual([again.lastLt, again.balance], [after.lastLt, after.balance])
    assert.ok(again.blockSeqno >= after.blockSeqno && again.asOfMs >= after.asOfMs)
    assert.ok(world.time.nowMs() - startMs >= 2_000, 'it did not wait')
    const list = await world.time.run(rpc.transactions(ADDRESS))
    assert.equal(list[0]?.lt, after.lastLt)
  })

  it('P53 asks another server meanwhile, for accounts, transactions and the tip', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    const before = await world.time.run(rpc.account(ADDRESS))
    const tip = await world.time.run(rpc.tip())
    world.server(0).faults.lagBlocks = 200
    await world.time.pass(60_000)
    world.server(0).faults.lagBlocks = 200
    const after = await world.time.run(rpc.account(ADDRESS))
    assert.ok(after.blockSeqno >= before.blockSeqno)
    assert.equal((await world.time.run(rpc.transactions(ADDRESS)))[0]?.lt, before.lastLt)
    assert.ok((await world.time.run(rpc.tip())).height >= tip.height)
  })

  it('says so when nobody is new enough within the limit', async () => {
    const world = await TestServers.create(1)
    const rpc = world.rpc({ lagLimitMs: 5_000 })
    await world.time.run(rpc.account(ADDRESS))
    await world.time.pass(100_000)
    await world.fund(ADDRESS)
    await world.time.run(rpc.account(ADDRESS))
    await world.time.run(rpc.tip())
    world.server(0).faults.lagBlocks = 90
    const startMs = world.time.nowMs()
    const asked = world.server(0).requests.length
    for (const request of requestsOf(rpc).slice(0, 3)) {
      await assert.rejects(world.time.run(request()), code('CHAIN_LAGGING'))
    }
    const waitedMs = world.time.nowMs() - startMs
    assert.ok(waitedMs >= 15_000 && waitedMs < 20_000, `${waitedMs} ms`)
    assert.ok(world.server(0).requests.length - asked < 30)
    world.server(0).faults.lagBlocks = 0
    await world.time.run(rpc.account(ADDRESS))
  })

  it('P53 waits for the second server to show what the first one shows', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    world.server(1).faults.lagBlocks = 5
    const rpc = world.rpc()
    const view = await world.time.run(rpc.account(ADDRESS))
    assert.equal(view.balance > 0n, true)
    assert.ok(world.server(1).count('getAddressInformation') > 1)
    assert.ok(world.time.nowMs() - 1_800_000_000_000 >= 3_000)
  })

  it('does not wait for a second server that is minutes behind, and logs nothing as a lie', async () => {
    const world = await TestServers.create(2)
    world.server(1).faults.lagBlocks = 100
    await world.time.pass(120_000)
    const rpc = world.rpc()
    await world.time.run(rpc.tip())
    await world.fund(ADDRESS)
    const startMs = world.time.nowMs()
    await world.time.run(rpc.account(ADDRESS))
    assert.ok(world.time.nowMs() - startMs < 1_000)
    world.server(1).faults.lagBlocks = 0
    await world.time.pass(61_000)
    await world.time.run(rpc.account(ADDRESS))
    assert.ok(world.server(1).count('getAddressInformation') >= 2)
  })

  it('shows servers a few blocks apart as one chain, without waiting', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    await world.time.pass(10_000)
    world.server(0).before = () => new ToncenterFailure('HTTP 502', { status: 502 })
    const first = await world.time.run(rpc.account(ADDRESS))
    const tip = await world.time.run(rpc.tip())
    world.server(0).before = () => undefined
    world.server(0).faults.lagBlocks = 3
    await world.time.pass(2_000)
    const startMs = world.time.nowMs()
    const second = await world.time.run(rpc.account(ADDRESS))
    assert.ok(second.blockSeqno >= first.blockSeqno && second.asOfMs >= first.asOfMs)
    assert.deepEqual(await world.time.run(rpc.tip()), tip)
    assert.ok(world.time.nowMs() - startMs < 200)
  })

  it('P52 shows a deleted account as gone only once a later block shows it', async () => {
    const world = await TestServers.create(1)
    await world.fund(ADDRESS)
    const rpc = world.rpc({ lagLimitMs: 3_000 })
    const server = world.server(0)
    let asOf: Json | undefined
    server.alter = (result, method) => {
      const { block_id, sync_utime } = result as Json
      asOf ??= method === 'getAddressInformation' ? { block_id, sync_utime } : undefined
      return result
    }
    await world.time.run(rpc.account(ADDRESS))
    const last_transaction_id = { lt: '0', hash: Buffer.alloc(32).toString('base64') }
    server.alter = result => ({ ...(result as Json), balance: '0', last_transaction_id, ...asOf })
    // In the same block it cannot be both.
    await assert.rejects(world.time.run(rpc.account(ADDRESS)), code('CHAIN_LAGGING'))
    asOf = {}
    const view = await world.time.run(rpc.account(ADDRESS))
    assert.deepEqual([view.lastLt, view.balance], [0n, 0n])
    // What is gone does not come back as it was.
    server.alter = result => result
    await world.time.pass(2_000)
    await assert.rejects(world.time.run(rpc.account(ADDRESS)), code('CHAIN_INCONSISTENT'))
  })
})

describe('ChainRpc over servers that lie', () => {
  it('gives up on an account that changes with every look at it', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    let change = 0n
    for (const server of world.servers) {
      server.alter = (result, method) => {
        const { last_transaction_id: last, block_id: block, ...state } = result as Record<string, Json>
        change++
        return method !== 'getAddressInformation'
          ? result
          : {
              ...state,
              last_transaction_id: { ...last, lt: String(change * 1_000_000_000n) },
              block_id: { ...block, seqno: Number(change) * 1_000 }
            }
      }
    }
    await assert.rejects(world.time.run(rpc.account(ADDRESS)), code('CHAIN_LAGGING'))
    assert.ok(world.server(0).requests.length + world.server(1).requests.length < 30)
  })

  for (const forge of ['balance', 'data', 'missing', 'block', 'boc'] as const) {
    it(`never returns what one of two servers forged: ${forge}`, async () => {
      for (const liar of [0, 1]) {
        const world = await TestServers.create(2)
        const wallet = await world.wallet()
        const honest = await world.time.run(world.rpc().account(wallet))
        assert.ok(honest.data !== undefined)
        const rpc = world.rpc({ lagLimitMs: 4_000 })
        world.server(liar).faults.forge = forge
        let failed = 0
        for (let read = 0; read < 3; read++) {
          await world.time.run(rpc.account(wallet)).then(
            view =>
              assert.deepEqual([view.balance, view.data?.hash()], [honest.balance, honest.data?.hash()], `by ${liar}`),
            (err: { code?: string }) => {
              failed++
              assert.match(err.code ?? '', /^CHAIN_(INCONSISTENT|LAGGING)$/)
            }
          )
        }
        // Who shows rubbish is refused alone.
        assert.equal(failed, forge === 'boc' ? 0 : 3)
      }
    })
  }

  it('refuses both of two servers that show one state differently, for good and for everything', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    world.server(1).faults.forge = 'balance'
    await assert.rejects(world.time.run(rpc.account(ADDRESS)), code('CHAIN_INCONSISTENT'))
    world.server(1).faults.forge = false
    await world.time.pass(3_600_000)
    const asked = world.servers.map(({ requests }) => requests.length)
    for (const request of requestsOf(rpc)) {
      await assert.rejects(world.time.run(request()), code('CHAIN_INCONSISTENT'))
    }
    assert.deepEqual(
      world.servers.map(({ requests }) => requests.length),
      asked
    )
  })

  it('goes on with a third server, after two contradicted each other', async () => {
    const world = await TestServers.create(3)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    world.server(0).faults.forge = 'balance'
    const view = await world.time.run(rpc.account(ADDRESS))
    assert.ok(view.balance <= 1_000_000_000n && view.balance > 0n)
    const asked = world.server(0).requests.length
    await world.time.run(rpc.tip())
    assert.equal(world.server(0).requests.length, asked)
  })

  it('refuses a third server alone when two others agree', async () => {
    const world = await TestServers.create(3)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    await world.time.run(rpc.account(ADDRESS))
    world.server(2).faults.forge = 'balance'
    world.server(0).faults.down = true
    await world.time.pass(61_000)
    await world.time.run(rpc.account(ADDRESS))
    const asked = world.server(2).requests.length
    assert.ok(asked > 0)
    world.server(0).faults.down = false
    await world.time.pass(61_000)
    await world.time.run(rpc.account(ADDRESS))
    assert.equal(world.server(2).requests.length, asked)
  })

  it('refuses a single server that contradicts itself, or shows what cannot be', async () => {
    for (const forge of ['balance', 'boc', 'block'] as const) {
      const world = await TestServers.create(1)
      const wallet = await world.wallet()
      const rpc = world.rpc()
      await world.time.run(rpc.account(wallet))
      world.server(0).faults.forge = forge
      await assert.rejects(world.time.run(rpc.account(wallet)), code('CHAIN_INCONSISTENT'), forge)
      world.server(0).faults.forge = false
      await assert.rejects(world.time.run(rpc.account(wallet)), code('CHAIN_INCONSISTENT'))
    }
  })

  it('asks two servers again a minute after both showed a state, and once meanwhile', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    for (let second = 0; second < 55; second++) {
      await world.time.run(rpc.account(ADDRESS))
      await world.time.pass(1_000)
    }
    assert.deepEqual(
      world.servers.map(server => server.count('getAddressInformation')),
      [55, 1]
    )
    await world.time.pass(6_000)
    await world.time.run(rpc.account(ADDRESS))
    assert.equal(world.server(1).count('getAddressInformation'), 2)
    // A new state is shown by both at once.
    await world.fund(ADDRESS)
    await world.time.run(rpc.account(ADDRESS))
    assert.equal(world.server(1).count('getAddressInformation'), 3)
  })

  it('notices within a minute that a server hides what happens to an account', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const rpc = world.rpc({ lagLimitMs: 4_000 })
    const first = world.server(0)
    let frozen: Json | undefined
    // Blocks go on, the account stays as it was.
    first.alter = (result, method) => {
      if (method !== 'getAddressInformation') {
        return result
      }
      const { block_id, sync_utime, ...state } = result as Json
      frozen ??= state
      return { ...frozen, block_id, sync_utime }
    }
    const before = await world.time.run(rpc.account(ADDRESS))
    await world.fund(ADDRESS)
    const startMs = world.time.nowMs()
    let hiddenMs = 0
    for (;;) {
      const outcome = await world.time.run(
        rpc.account(ADDRESS).then(
          view => view.balance,
          (err: { code?: string }) => err.code
        )
      )
      if (outcome !== before.balance) {
        assert.equal(outcome, 'CHAIN_LAGGING')
        break
      }
      hiddenMs = world.time.nowMs() - startMs
      assert.ok(hiddenMs < 70_000, 'it was never noticed')
      await world.time.pass(1_000)
    }
    assert.ok(hiddenMs > 30_000)
  })

  it("takes no transaction that the account's last one, shown by both, does not lead to", async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    world.server(0).faults.forge = 'transactions'
    const list = await world.time.run(rpc.transactions(ADDRESS))
    assert.equal(list.length, 2)
    assert.ok(world.server(1).count('getTransactions') === 1)
    await assert.rejects(world.time.run((await alone(0)).transactions(ADDRESS)), code('CHAIN_INCONSISTENT'))

    async function alone(index: number) {
      return world.rpc({ endpoint: world.server(index).url, fallbacks: [] })
    }
  })

  /** Well-formed and linked transactions of the account on another chain. */
  async function madeUp(...amounts: bigint[]): Promise<unknown> {
    const elsewhere = await TestServers.create(1)
    for (const amount of amounts) {
      await elsewhere.fund(ADDRESS, amount)
    }
    const params = { address: ADDRESS, limit: 10 }
    const request = { method: 'getTransactions', params, timeoutMs: 1_000, maxBytes: 1_000_000 }
    return elsewhere.time.run(elsewhere.transport({ ...request, url: elsewhere.server(0).url }))
  }

  it('does not believe a whole history made up by one of two servers', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const made = await madeUp(1_000_000_000n, 1_000_000_000n, 1_000_000_000n)
    world.server(0).alter = (result, method) => (method === 'getTransactions' ? made : result)
    const list = await world.time.run(world.rpc().transactions(ADDRESS))
    assert.equal(list.length, 1)
    assert.equal(world.server(1).count('getTransactions'), 1)
  })

  it('refuses a server whose transactions are others than those its accounts come from', async () => {
    const world = await TestServers.create(1)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    await world.time.run(rpc.account(ADDRESS))
    const made = await madeUp(999_999_999n)
    world.server(0).alter = (result, method) => (method === 'getTransactions' ? made : result)
    await assert.rejects(world.time.run(rpc.transactions(ADDRESS)), code('CHAIN_INCONSISTENT'))
  })

  it('takes prices only as two servers show them', async () => {
    const world = await TestServers.create(2)
    const rpc = world.rpc()
    const cell = await world.time.run(rpc.configParam(20))
    assert.equal(world.server(1).count('getConfigParam'), 2)
    assert.equal(await world.time.run(rpc.configParam(20)), cell)
    assert.equal(world.server(1).count('getConfigParam'), 2)
    const bytes = beginCell().storeUint(1, 8).endCell().toBoc().toString('base64')
    world.server(1).alter = (result, method) => (method === 'getConfigParam' ? { config: { bytes } } : result)
    await assert.rejects(world.time.run(rpc.configParam(21)), code('CHAIN_INCONSISTENT'))
  })

  it('reads prices again that two servers showed on either side of a change', async () => {
    const world = await TestServers.create(2)
    const rpc = world.rpc()
    await world.time.run(rpc.configParam(20))
    const bytes = beginCell().storeUint(1, 8).endCell().toBoc().toString('base64')
    let early = 2
    world.server(1).alter = (result, method) =>
      method === 'getConfigParam' && early-- > 0 ? { config: { bytes } } : result
    await world.time.run(rpc.configParam(21))
  })

  it('believes the only server that answers, and compares as soon as the other is back', async () => {
    const world = await TestServers.create(2)
    await world.fund(ADDRESS)
    const rpc = world.rpc()
    world.server(1).faults.down = true
    const alone = await world.time.run(rpc.account(ADDRESS))
    assert.ok(alone.balance > 0n)
    world.server(1).faults.down = false
    world.server(1).faults.forge = 'balance'
    await world.time.pass(2_000)
    await assert.rejects(world.time.run(rpc.account(ADDRESS)), code('CHAIN_INCONSISTENT'))
  })

  it('keeps keys of every server out of what it says', async () => {
    const world = await TestServers.create(2)
    const endpoints = world.servers.map(({ url }, index) => ({
      endpoint: `${url}?token=secret-in-url-${index}`,
      apiKey: 'hush-hush'
    }))
    const [first, ...fallbacks] = endpoints
    for (const server of world.servers) {
      Object.defineProperty(server, 'url', { value: endpoints[world.servers.indexOf(server)]?.endpoint })
      server.faults.down = true
    }
    const rpc = world.rpc({ ...first, fallbacks })
    for (const request of requestsOf(rpc)) {
      await assert.rejects(world.time.run(request()), (err: Error & { details?: object }) => {
        assert.doesNotMatch(`${err.message} ${JSON.stringify(err.details)} ${String(err.cause)}`, /hush|secret/)
        return true
      })
    }
  })
})
