import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import fc from 'fast-check'
import { errorCode } from '../../src/core/errors.ts'
import type { Mesh, MeshStream, TrafficEvent } from '../../src/mesh/index.ts'
import { Latch } from '../../src/mesh/latch.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { until } from '../support/until.ts'
import { MeshLab } from './mesh-support.ts'

const LIMIT = { maxFrameBytes: 64 * 1024 }

describe('mesh streams', () => {
  const lab = new MeshLab()
  const traffic: TrafficEvent[] = []
  let server: Mesh
  let client: Mesh

  before(async () => {
    server = await lab.node('server')
    client = await lab.node('client', { tap: event => traffic.push({ ...event, bytes: Uint8Array.from(event.bytes) }) })
    await client.connect(server.peerId, server.addresses())
  })

  after(() => lab.stop())

  /** Both ends of one stream: ours, and the one the server's handler holds until `done`. */
  async function pair(
    protocol: string,
    limits = LIMIT
  ): Promise<{ near: MeshStream; far: MeshStream; done: () => void }> {
    const held = new Latch()
    const far = new Promise<MeshStream>((resolve, reject) => {
      server
        .handle(
          protocol,
          async stream => {
            resolve(stream)
            await held.opened
          },
          limits
        )
        .catch(reject)
    })
    const near = await client.open(server.peerId, protocol, LIMIT)
    return { near, far: await far, done: () => held.open() }
  }

  // One protocol that is negotiated by libp2p, one that the mesh opens without waiting.
  for (const protocol of ['/test/bytes', PROTOCOLS.job]) {
    describe(protocol, () => {
      let ends: Awaited<ReturnType<typeof pair>>
      let round = 0

      beforeEach(async () => {
        // libp2p keeps one handler per protocol: job's is registered once.
        ends = protocol === PROTOCOLS.job ? await jobPair() : await pair(`${protocol}/${round++}`)
      })

      afterEach(() => ends.done())

      it('carries 200 KB in random pieces, both ways, byte for byte', async () => {
        const sizes = fc.sample(fc.integer({ min: 1, max: 64 * 1024 }), { numRuns: 40, seed: 7 })
        const pieces: Uint8Array[] = []
        for (let total = 0; total < 200_000; ) {
          const size = sizes[pieces.length % sizes.length] ?? 1
          pieces.push(new Uint8Array(size).map((_, i) => (i * 31 + total) & 0xff))
          total += size
        }
        const echoing = (async () => {
          for (let frame = await ends.far.read(); frame !== undefined; frame = await ends.far.read()) {
            await ends.far.write(frame)
          }
          await ends.far.close()
        })()
        const sending = (async () => {
          for (const piece of pieces) {
            await ends.near.write(piece)
          }
          await ends.near.close()
        })()
        for (const piece of pieces) {
          assert.equal(Buffer.compare((await ends.near.read()) ?? new Uint8Array(), piece), 0)
        }
        assert.equal(await ends.near.read(), undefined)
        await Promise.all([echoing, sending])
      })

      it('delivers the tail when a side closes right after its last write', async () => {
        for (let i = 0; i < 20; i++) {
          await ends.far.write(new Uint8Array(60_000).fill(i))
          if (i === 0) {
            // The last writes and the end leave together.
            assert.equal((await ends.near.read())?.[0], 0)
          }
        }
        await ends.far.close()
        ends.done()
        for (let i = 1; i < 20; i++) {
          assert.equal((await ends.near.read())?.[0], i)
        }
        assert.equal(await ends.near.read(), undefined)
        assert.equal(await ends.near.read(), undefined)
      })

      it('delivers a request whose sender closes at once', async () => {
        await ends.near.write(Uint8Array.of(1, 2, 3))
        await ends.near.close()
        assert.deepEqual([...((await ends.far.read()) ?? [])], [1, 2, 3])
        assert.equal(await ends.far.read(), undefined)
        await ends.far.write(Uint8Array.of(4))
        assert.deepEqual([...((await ends.near.read()) ?? [])], [4])
      })

      it('keeps the frame of a cancelled read for the next one', async () => {
        const stop = new AbortController()
        const read = ends.near.read({ signal: stop.signal })
        stop.abort()
        await assert.rejects(read, { code: 'CANCELLED' })
        await ends.far.write(Uint8Array.of(1))
        await ends.far.write(Uint8Array.of(2))
        assert.deepEqual([...((await ends.near.read()) ?? [])], [1])
        assert.deepEqual([...((await ends.near.read()) ?? [])], [2])
      })

      it('tells a reset from an end, on both sides', async () => {
        await ends.far.write(Uint8Array.of(1))
        await ends.near.read()
        const pending = assert.rejects(ends.near.read(), { code: 'STREAM_RESET' })
        ends.far.abort(new Error('Enough'))
        await pending
        await assert.rejects(ends.near.read(), { code: 'STREAM_RESET' })
        await assert.rejects(ends.near.write(Uint8Array.of(1)), { code: 'STREAM_RESET' })
      })

      it('makes a fast writer wait for a slow reader', async () => {
        let written = 0
        const writing = (async () => {
          for (let i = 0; i < 100; i++) {
            await ends.near.write(new Uint8Array(60_000))
            written++
          }
        })()
        await until(() => written > 5)
        let before = -1
        await until(async () => {
          const still = written === before
          before = written
          await new Promise(resolve => setTimeout(resolve, 50))
          return still
        })
        assert.ok(written < 60, `${written} of 100 frames left for a reader that reads nothing`)
        for (let i = 0; i < 100; i++) {
          assert.equal((await ends.far.read())?.byteLength, 60_000)
        }
        await writing
      })
    })
  }

  /** `pair` over the one handler of the job protocol. */
  const waiting: Array<(end: { far: MeshStream; done: () => void }) => void> = []
  let serving: Promise<void> | undefined
  async function jobPair(): Promise<Awaited<ReturnType<typeof pair>>> {
    serving ??= server.handle(
      PROTOCOLS.job,
      stream => new Promise<void>(resolve => waiting.shift()?.({ far: stream, done: resolve })),
      LIMIT
    )
    await serving
    const far = new Promise<{ far: MeshStream; done: () => void }>(resolve => waiting.push(resolve))
    const near = await client.open(server.peerId, PROTOCOLS.job, LIMIT)
    return { near, ...(await far) }
  }

  it('are reset when a frame over the limit arrives', async () => {
    const { near, far, done } = await pair('/test/limit', { maxFrameBytes: 100 })
    await near.write(new Uint8Array(101))
    await assert.rejects(far.read(), { code: 'FRAME_TOO_LARGE' })
    await assert.rejects(near.read(), { code: 'STREAM_RESET' })
    await assert.rejects(far.read(), { code: 'FRAME_TOO_LARGE' })
    done()
  })

  it('refuse to send a frame over the limit, and go on', async () => {
    const { near, far, done } = await pair('/test/send-limit')
    await assert.rejects(near.write(new Uint8Array(64 * 1024 + 1)), { code: 'FRAME_TOO_LARGE_TO_SEND' })
    await near.write(new Uint8Array(64 * 1024))
    assert.equal((await far.read())?.byteLength, 64 * 1024)
    await near.close()
    await assert.rejects(near.write(new Uint8Array(1)), { code: 'STREAM_CLOSED' })
    done()
  })

  it('of a protocol nobody serves fail by name', async () => {
    await assert.rejects(client.open(server.peerId, '/test/none', LIMIT), { code: 'PROTOCOL_UNSUPPORTED' })
    const stream = await client.open(server.peerId, PROTOCOLS.attest, LIMIT)
    await stream.write(new Uint8Array(10))
    await assert.rejects(stream.read(), { code: 'PROTOCOL_UNSUPPORTED' })
  })

  it('are reset when their handler throws', async () => {
    await server.handle(PROTOCOLS.channel, () => Promise.reject(new Error('Broken')), LIMIT)
    const stream = await client.open(server.peerId, PROTOCOLS.channel, LIMIT)
    await assert.rejects(stream.read(), { code: 'STREAM_RESET' })
  })

  it('deliver requests whose senders close at once, over new connections', async () => {
    await server.handle(
      PROTOCOLS.offer,
      async stream => {
        let bytes = 0
        for (let frame = await stream.read(); frame !== undefined; frame = await stream.read()) {
          bytes += frame.byteLength
        }
        await stream.write(Uint8Array.of(bytes))
      },
      LIMIT
    )
    const ask = async (from: Mesh): Promise<number | undefined> => {
      const stream = await from.open(server.peerId, PROTOCOLS.offer, LIMIT)
      await stream.write(new Uint8Array(100))
      await stream.close()
      return (await stream.read())?.[0]
    }
    // On a new connection the proposal, the request and the end arrive at once.
    for (let i = 0; i < 4; i++) {
      const stranger = await lab.node(`stranger ${i}`, { bootstrap: [] })
      await stranger.connect(server.peerId, server.addresses())
      assert.deepEqual(
        await Promise.all(Array.from({ length: 10 }, () => ask(stranger))),
        Array.from({ length: 10 }, () => 100)
      )
    }
  })

  it('leave nothing behind after a hundred aborts', async () => {
    await server.handle('/test/abort', async stream => void (await stream.read()), { ...LIMIT, maxInboundStreams: 8 })
    for (let i = 0; i < 100; i++) {
      const stream = await client.open(server.peerId, '/test/abort', LIMIT)
      stream.abort(new Error('Changed my mind'))
    }
    const stream = await client.open(server.peerId, '/test/abort', LIMIT)
    await stream.write(Uint8Array.of(1))
    assert.equal(await stream.read(), undefined)
  })

  it('show every frame and every byte of the connection to the tap', async () => {
    const { near, far, done } = await pair('/test/tap')
    traffic.length = 0
    const canary = Buffer.from('canary-4711')
    await near.write(canary)
    await far.write((await far.read()) ?? new Uint8Array())
    await near.read()
    const frames = traffic.filter(event => event.kind === 'stream' && Buffer.compare(event.bytes, canary) === 0)
    assert.deepEqual(
      frames.map(event => [event.direction, event.protocol, event.peer]),
      [
        ['out', '/test/tap', server.peerId],
        ['in', '/test/tap', server.peerId]
      ]
    )
    for (const direction of ['in', 'out']) {
      const raw = traffic.filter(event => event.kind === 'connection' && event.direction === direction)
      assert.ok(Buffer.concat(raw.map(event => event.bytes)).includes(canary))
    }
    done()
  })

  it('run over sockets without Nagle delays on both ends', async () => {
    const ports = lab.nodes.flatMap(mesh => mesh.addresses()).map(address => Number(address.split('/')[4]))
    const sockets = handles().filter(
      handle =>
        handle instanceof Socket && (ports.includes(handle.localPort ?? 0) || ports.includes(handle.remotePort ?? 0))
    )
    assert.ok(sockets.length >= 2)
    // Node.js has no getter; its own memory of the last setNoDelay is this symbol.
    sockets.forEach(socket => assert.equal(noDelay(socket), true))
    const plain = createServer().listen(0, '127.0.0.1')
    await once(plain, 'listening')
    const address = plain.address()
    const control = new Socket().connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1')
    await once(control, 'connect')
    assert.notEqual(noDelay(control), true)
    control.destroy()
    plain.close()
  })
})

describe('mesh streams to a process that dies', () => {
  const lab = new MeshLab()
  let child: ChildProcess

  afterEach(async () => {
    child.kill('SIGKILL')
    await lab.stop()
  })

  it('fail with CONNECTION_LOST that names the peer, at once', async () => {
    child = fork(new URL('./mesh-child.js', import.meta.url))
    const [{ peerId, addresses }] = (await once(child, 'message')) as [{ peerId: string; addresses: string[] }]
    const client = await lab.node('client')
    await client.connect(peerId, addresses)
    const stream = await client.open(peerId, '/test/hold', LIMIT)
    await stream.write(Uint8Array.of(1))
    await stream.read()
    const killedMs = performance.now()
    const lost = assert.rejects(stream.read(), { code: 'CONNECTION_LOST', details: { peer: peerId } })
    child.kill('SIGKILL')
    await lost
    assert.ok(performance.now() - killedMs < 1_000)
    await assert.rejects(client.open(peerId, '/test/hold', { ...LIMIT, signal: AbortSignal.timeout(5_000) }), {
      code: 'PEER_UNREACHABLE'
    })
  })
})

describe('a mesh node that stops', () => {
  const lab = new MeshLab()

  after(() => lab.stop())

  it('ends in time with streams running, and its peers see a break, not an end', async () => {
    const server = await lab.node('server')
    const client = await lab.node('client', { bootstrap: [] })
    let count = 0
    const ownCodes: Array<string | undefined> = []
    await server.connect(client.peerId, client.addresses())
    await until(() => client.peers().length === 1)
    await server.handle(
      '/test/run',
      async stream => {
        await stream.write(new Uint8Array(1000))
        if (count++ % 2 === 0) {
          await stream.read().catch((err: unknown) => ownCodes.push(errorCode(err)))
        }
        for (;;) {
          await stream.write(new Uint8Array(1000))
        }
      },
      LIMIT
    )
    const streams = await Promise.all(Array.from({ length: 20 }, () => client.open(server.peerId, '/test/run', LIMIT)))
    await Promise.all(streams.map(stream => stream.read()))
    const ends = streams.map(async stream => {
      while ((await stream.read()) !== undefined) {
        // Frames that were on their way.
      }
    })
    const outcome = Promise.allSettled(ends)
    const startedMs = performance.now()
    await server.stop()
    assert.ok(performance.now() - startedMs < 10_000)
    for (const end of await outcome) {
      assert.equal(end.status, 'rejected')
      assert.ok(end.status === 'rejected' && ['STREAM_RESET', 'CONNECTION_LOST'].includes(errorCode(end.reason) ?? ''))
    }
    // What this node did itself is not blamed on its peers.
    assert.deepEqual(
      ownCodes,
      Array.from({ length: 10 }, () => 'MESH_STOPPED')
    )
  })
})

function handles(): unknown[] {
  return (process as typeof process & { _getActiveHandles(): unknown[] })._getActiveHandles()
}

function noDelay(socket: unknown): unknown {
  const symbol = Object.getOwnPropertySymbols(socket).find(s => s.description === 'kSetNoDelay')
  return symbol === undefined ? undefined : (socket as Record<symbol, unknown>)[symbol]
}
