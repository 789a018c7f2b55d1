import assert from 'node:assert/strict'
import { toHex } from '../../../src/core/bytes.ts'
import { ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'
import { TestServers } from './test-servers.ts'

type Json = Record<string, unknown>

const code = (expected: string) => (err: { code?: string }) => err.code === expected

/** Servers of a chain that has some blocks. */
async function serversOf(count: number): Promise<TestServers> {
  const world = await TestServers.create(count)
  await world.time.pass(30_000)
  await world.time.run(world.rpc().tip())
  for (const { requests } of world.servers) {
    requests.length = 0
  }
  return world
}

const lookups = (world: TestServers): number[] => world.servers.map(server => server.count('lookupBlock'))

describe('ChainRpc looking up a block', () => {
  it('tells the hash that the tip had, and asks once for each height', async () => {
    const world = await serversOf(1)
    const rpc = world.rpc()
    const { height, hash } = await world.time.run(rpc.tip())
    await world.time.pass(5_000)
    for (let time = 0; time < 3; time++) {
      assert.deepEqual(await world.time.run(rpc.blockHash(height)), hash)
    }
    assert.deepEqual(lookups(world), [1])
    assert.notDeepEqual(await world.time.run(rpc.blockHash(height - 1)), hash)
    assert.deepEqual(lookups(world), [2])
    // Another object knows nothing of it: it may belong to another chain.
    await world.time.run(world.rpc().blockHash(height))
    assert.deepEqual(lookups(world), [3])
  })

  it('keeps a thousand heights, the oldest go first', async () => {
    const world = await serversOf(1)
    await world.time.pass(1_100_000)
    const rpc = world.rpc()
    for (let height = 1; height <= 1_025; height++) {
      await world.time.run(rpc.blockHash(height))
    }
    await world.time.run(rpc.blockHash(2))
    assert.deepEqual(lookups(world), [1_025])
    await world.time.run(rpc.blockHash(1))
    assert.deepEqual(lookups(world), [1_026])
  })

  it('asks two servers at once, and keeps what both named', async () => {
    const world = await serversOf(3)
    const rpc = world.rpc()
    const { height, hash } = await world.time.run(rpc.tip())
    await world.time.run(Promise.all([rpc.configParam(20), rpc.configParam(21)]))
    const startMs = world.time.nowMs()
    assert.deepEqual(await world.time.run(rpc.blockHash(height)), hash)
    assert.equal(world.time.nowMs() - startMs, 20, 'not one round trip')
    await world.time.run(rpc.blockHash(height))
    assert.deepEqual(lookups(world), [1, 1, 0])
  })

  it('refuses both of two servers that name different blocks, and goes on with a third', async () => {
    for (const count of [2, 3]) {
      const world = await serversOf(count)
      const rpc = world.rpc()
      world.server(0).faults.forge = 'block'
      const honest = world.chain.blockHash(7)
      if (count === 2) {
        await assert.rejects(world.time.run(rpc.blockHash(7)), code('CHAIN_INCONSISTENT'))
        await assert.rejects(world.time.run(rpc.tip()), code('CHAIN_INCONSISTENT'))
      } else {
        assert.deepEqual(await world.time.run(rpc.blockHash(7)), honest)
        const asked = world.servers.map(({ requests }) => requests.length)
        await world.time.run(rpc.tip())
        assert.deepEqual(
          world.servers.map(({ requests }, index) => requests.length - (asked[index] ?? 0)),
          [0, 0, 1]
        )
      }
    }
  })

  it('refuses a server that names another block than it showed as its tip, and forgets what it named', async () => {
    const world = await serversOf(1)
    const rpc = world.rpc()
    const { height } = await world.time.run(rpc.tip())
    await world.time.run(rpc.blockHash(7))
    world.server(0).faults.forge = 'block'
    await assert.rejects(world.time.run(rpc.blockHash(height)), code('CHAIN_INCONSISTENT'))
    await assert.rejects(world.time.run(rpc.blockHash(7)), code('CHAIN_INCONSISTENT'))
  })

  it('asks a second server later, once one answers again', async () => {
    const world = await serversOf(2)
    const rpc = world.rpc()
    world.server(1).faults.down = true
    world.server(0).faults.forge = 'block'
    const forged = await world.time.run(rpc.blockHash(7))
    assert.notDeepEqual(forged, world.chain.blockHash(7))
    world.server(1).faults.down = false
    await world.time.pass(600_000)
    await assert.rejects(world.time.run(rpc.blockHash(7)), code('CHAIN_INCONSISTENT'))
  })

  it('tells a block that no server has apart from servers that do not answer', async () => {
    const world = await serversOf(2)
    const rpc = world.rpc()
    const { height } = await world.time.run(rpc.tip())
    const startMs = world.time.nowMs()
    for (let time = 0; time < 5; time++) {
      await assert.rejects(world.time.run(rpc.blockHash(height + 50)), code('CHAIN_BLOCK_UNKNOWN'))
    }
    assert.ok(world.time.nowMs() - startMs < 1_000, 'a server was taken to be ill')
    assert.ok(lookups(world).every(count => count === 5))
    // As it says of a block that it does not keep any more.
    const gone = 'HTTP 500, LITE_SERVER_NOTREADY: cannot find block (-1,8000000000000000) seqno=7: seqno not in db'
    for (const server of world.servers) {
      server.before = () => new ToncenterFailure(gone, { status: 500 })
    }
    await assert.rejects(world.time.run(rpc.blockHash(7)), code('CHAIN_BLOCK_UNKNOWN'))
    for (const server of world.servers) {
      server.before = () => new ToncenterFailure('HTTP 500, LITE_SERVER_NETWORK', { status: 500 })
    }
    await assert.rejects(world.time.run(rpc.blockHash(7)), code('CHAIN_UNREACHABLE'))
  })

  it('does not take one server’s word for a block that another does not have', async () => {
    const world = await serversOf(2)
    const rpc = world.rpc()
    const { height } = await world.time.run(rpc.tip())
    for (const behind of [0, 1]) {
      world.server(behind).faults.lagBlocks = 10
      await assert.rejects(world.time.run(rpc.blockHash(height)), code('CHAIN_BLOCK_UNKNOWN'))
      world.server(behind).faults.lagBlocks = 0
    }
    await world.time.run(rpc.blockHash(height))
    // Two others are enough.
    const more = await serversOf(3)
    more.server(0).faults.lagBlocks = 10
    const newest = await more.time.run(more.rpc().tip())
    assert.deepEqual(
      await more.time.run(more.rpc().blockHash(newest.height + 10)),
      more.chain.blockHash(newest.height + 10)
    )
  })

  it('refuses a server that answers with another block, and asks the next', async () => {
    const world = await serversOf(2)
    const rpc = world.rpc()
    world.server(0).alter = (result, method) => (method === 'lookupBlock' ? { ...(result as Json), seqno: 8 } : result)
    assert.deepEqual(await world.time.run(rpc.blockHash(7)), world.chain.blockHash(7))
    await world.time.run(rpc.blockHash(9))
    assert.equal(lookups(world)[0], 1)
  })

  it('asks another where the first does not know how to look up', async () => {
    const world = await serversOf(2)
    world.server(0).before = method =>
      method === 'lookupBlock' ? new ToncenterFailure('HTTP 404, no such method', { status: 404 }) : undefined
    const hash = await world.time.run(world.rpc().blockHash(7))
    assert.equal(toHex(hash), toHex(world.chain.blockHash(7) ?? assert.fail()))
  })

  it('ends when it is cancelled', async () => {
    const world = await serversOf(2)
    const rpc = world.rpc()
    const cancel = new AbortController()
    const asking = rpc.blockHash(7, { signal: cancel.signal })
    cancel.abort()
    await assert.rejects(world.time.run(asking), code('CANCELLED'))
    await assert.rejects(world.time.run(rpc.blockHash(7, { signal: cancel.signal })), code('CANCELLED'))
  })
})
