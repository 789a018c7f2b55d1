import assert from 'node:assert/strict'
import { ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'
import { TestServers } from './test-servers.ts'

const ADDRESS = `0:${'ab'.repeat(32)}`

describe('ChainRpc over servers that fail', () => {
  const codes = (...expected: string[]) => ({ code: expected[0] })

  it('asks the first server alone while it answers', async () => {
    const world = await TestServers.create(2)
    const rpc = world.rpc()
    await world.time.run(rpc.tip())
    await world.time.run(rpc.tip())
    assert.deepEqual([world.server(0).count('getMasterchainInfo'), world.server(1).requests.length], [2, 0])
  })

  it('goes on with the next server when one fails, and returns to the first when it is well', async () => {
    const world = await TestServers.create(3)
    const rpc = world.rpc()
    world.server(0).faults.down = true
    world.server(1).before = () => new ToncenterFailure('HTTP 502', { status: 502 })
    await world.time.run(rpc.tip())
    assert.equal(world.server(2).count('getMasterchainInfo'), 1)
    world.server(0).faults.down = false
    await world.time.pass(2_000)
    const before = world.server(0).count('getMasterchainInfo')
    await world.time.run(rpc.tip())
    assert.equal(world.server(0).count('getMasterchainInfo'), before + 1)
    assert.equal(world.server(2).count('getMasterchainInfo'), 1)
  })

  it('does not ask a dead first server before each request', async () => {
    const world = await TestServers.create(2)
    world.server(0).faults.down = true
    const rpc = world.rpc()
    for (let minute = 0; minute < 60; minute++) {
      await world.time.run(rpc.tip())
      await world.time.pass(1_000)
    }
    assert.equal(world.server(1).count('getMasterchainInfo'), 60)
    assert.ok(world.server(0).requests.length <= 10, `${world.server(0).requests.length} requests`)
  })

  it('says which servers did not answer, and why', async () => {
    const world = await TestServers.create(2)
    world.server(0).faults.down = true
    world.server(1).before = () => new ToncenterFailure('HTTP 503, no', { status: 503 })
    await assert.rejects(world.time.run(world.rpc().account(ADDRESS)), (err: { code?: string; message?: string }) => {
      assert.equal(err.code, 'CHAIN_UNREACHABLE')
      assert.match(err.message ?? '', /http:\/\/server-0, http:\/\/server-1.*getAddressInformation/)
      return true
    })
  })

  it('P58 asks seldom during ten minutes without a chain, fails clearly, and works on afterwards', async () => {
    const world = await TestServers.create(2)
    const rpc = world.rpc()
    await world.time.run(rpc.account(ADDRESS))
    for (const { faults, requests } of world.servers) {
      faults.down = true
      requests.length = 0
    }
    const endMs = world.time.nowMs() + 600_000
    let calls = 0
    while (world.time.nowMs() < endMs) {
      calls++
      // Many parts of a node at once, as often as they like.
      const results = await world.time.run(
        Promise.allSettled([
          rpc.account(ADDRESS),
          rpc.tip(),
          rpc.transactions(ADDRESS),
          rpc.configParam(20),
          rpc.sendBoc(Buffer.from('x'))
        ])
      )
      for (const result of results) {
        const err = result.status === 'rejected' ? (result.reason as { code?: string; message?: string }) : {}
        assert.equal(err.code, 'CHAIN_UNREACHABLE')
        assert.match(err.message ?? '', /http:\/\/server-0, http:\/\/server-1 did not answer \w+: ECONNREFUSED/)
      }
      await world.time.pass(250)
    }
    assert.ok(calls > 100)
    for (const { requests, name } of world.servers) {
      assert.ok(requests.length >= 15 && requests.length <= 60, `${requests.length} requests to ${name}`)
    }
    for (const { faults } of world.servers) {
      faults.down = false
    }
    await world.time.pass(30_000)
    await world.time.run(rpc.account(ADDRESS))
  })

  it('P58 does not spin: every attempt of a caller that never pauses takes time or makes no request', async () => {
    const world = await TestServers.create(1)
    world.server(0).faults.down = true
    const rpc = world.rpc()
    const startMs = world.time.nowMs()
    for (let call = 0; call < 500; call++) {
      await assert.rejects(world.time.run(rpc.tip()), codes('CHAIN_UNREACHABLE'))
    }
    const seconds = (world.time.nowMs() - startMs) / 1_000
    assert.ok(world.server(0).requests.length <= 8 + seconds / 10, `${world.server(0).requests.length} in ${seconds} s`)
  })

  it('keeps to the rate of each server, and counts what others use up', async () => {
    const world = await TestServers.create(1)
    world.server(0).faults.rateLimit = 0
    const rpc = world.rpc({ requestsPerSecond: 2 })
    await world.time.run(Promise.all(Array.from({ length: 9 }, async () => rpc.tip())))
    const [first, ...others] = world.server(0).requests.map(({ atMs }) => atMs)
    const spans = others.map(ms => ms - (first ?? 0))
    // The network's id first.
    assert.deepEqual(
      spans.map(ms => Math.floor(ms / 500)),
      [0, 1, 2, 3, 4, 5, 6, 7, 8]
    )
  })

  it('is never stopped by a server that complains of too many requests', async () => {
    const world = await TestServers.create(1)
    const server = world.server(0)
    // One request a second is all it takes.
    server.before = () => {
      const second = Math.floor(world.time.nowMs() / 1_000)
      const same = server.requests.filter(({ atMs }) => Math.floor((atMs + 20) / 1_000) === second)
      return same.length > 1 ? new ToncenterFailure('HTTP 429', { status: 429 }) : undefined
    }
    const rpc = world.rpc({ requestsPerSecond: 10 })
    await world.time.run(Promise.all(Array.from({ length: 20 }, async () => rpc.tip())))
    assert.ok(server.requests.length < 60, `${server.requests.length} requests`)
  })

  it('asks another server meanwhile when one complains', async () => {
    const world = await TestServers.create(2)
    world.server(0).before = () => new ToncenterFailure('HTTP 429', { status: 429, retryAfterMs: 5_000 })
    const startMs = world.time.nowMs()
    await world.time.run(world.rpc().tip())
    assert.ok(world.time.nowMs() - startMs < 500)
  })

  it('does not hold a bad request against the server, and does not repeat it', async () => {
    const world = await TestServers.create(1)
    const rpc = world.rpc()
    await world.time.run(rpc.tip())
    world.server(0).before = method =>
      method === 'getTransactions' ? new ToncenterFailure('HTTP 422', { status: 422 }) : undefined
    const startMs = world.time.nowMs()
    await assert.rejects(world.time.run(rpc.transactions(ADDRESS)), codes('CHAIN_UNREACHABLE'))
    await world.time.run(rpc.tip())
    assert.equal(world.server(0).count('getTransactions'), 1)
    assert.ok(world.time.nowMs() - startMs < 100)
  })

  it('refuses a server of another network before its first answer is used', async () => {
    const world = await TestServers.create(2)
    world.server(0).faults.wrongNetwork = true
    const rpc = world.rpc()
    await world.time.run(rpc.tip())
    await world.time.run(rpc.account(ADDRESS))
    assert.deepEqual(
      world.server(0).requests.map(({ method }) => method),
      ['getConfigParam']
    )
    assert.equal(world.server(1).count('getMasterchainInfo'), 1)
  })

  it('does nothing more where every server is of another network', async () => {
    const world = await TestServers.create(1)
    const rpc = world.rpc({ globalId: -239 })
    await assert.rejects(world.time.run(rpc.account(ADDRESS)), codes('CHAIN_WRONG_NETWORK'))
    const asked = world.server(0).requests.length
    await assert.rejects(
      world.time.run(rpc.sendBoc(Buffer.from('x'))),
      (err: { code?: string; details?: { sent?: boolean; found?: number } }) =>
        err.code === 'CHAIN_WRONG_NETWORK' && err.details?.sent === false && err.details.found === -217
    )
    assert.equal(world.server(0).requests.length, asked)
  })

  it('asks a server for its network once, for all who wait, and again if that failed', async () => {
    const world = await TestServers.create(1)
    const rpc = world.rpc()
    world.server(0).faults.down = true
    await assert.rejects(world.time.run(rpc.tip()), codes('CHAIN_UNREACHABLE'))
    world.server(0).faults.down = false
    world.server(0).requests.length = 0
    await world.time.pass(5_000)
    await world.time.run(Promise.all([rpc.tip(), rpc.tip(), rpc.account(ADDRESS)]))
    assert.equal(world.server(0).count('getConfigParam'), 1)
  })

  it('ends at once when the caller gives up, wherever it waits, and goes on for others', async () => {
    const world = await TestServers.create(1)
    const rpc = world.rpc({ requestsPerSecond: 1 })
    const controller = new AbortController()
    const { signal } = controller
    const given = [rpc.tip({ signal }), rpc.account(ADDRESS, { signal }), rpc.transactions(ADDRESS, 0n, 5, { signal })]
    const other = rpc.tip()
    await world.time.pass(1)
    controller.abort()
    for (const result of await Promise.allSettled(given)) {
      assert.equal(result.status === 'rejected' && (result.reason as { code?: string }).code, 'CANCELLED')
    }
    await world.time.run(other)
    await assert.rejects(rpc.tip({ signal }), codes('CANCELLED'))
  })
})
