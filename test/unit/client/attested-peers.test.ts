import assert from 'node:assert/strict'
import { DEFAULT_POLICY, SIMNET_POLICY, type Statement, statementDigest } from '../../../src/attest/index.ts'
import { AttestedPeers, expectModel } from '../../../src/client/attested-peers.ts'
import { type AbortOptions, throwIfAborted } from '../../../src/core/abort.ts'
import { fromHex } from '../../../src/core/bytes.ts'
import { CancelledError, NetworkError } from '../../../src/core/errors.ts'
import { ChainBlockUnknownError } from '../../../src/ton/index.ts'
import { decodeAttestRequest, encodeAttestReply } from '../../../src/wire/attest-exchange.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { PROTOCOLS } from '../../../src/wire/protocols.ts'
import { attestation as attestationOver, NOW_MS, PEER_ID } from '../attest/fixtures.ts'
import { FakeMesh } from './mesh-fixture.ts'

const CHALLENGE = new Uint8Array(32).fill(5)

/** As a provider shows it over this client's challenge. */
const attestation = (changes: Partial<Statement> = {}) => attestationOver(changes, CHALLENGE)

/** Block 1,000, the newest, is the one that the statement of the fixtures names. */
class BeaconChain {
  readonly globalId = -3
  height = 1_000
  readonly lookups: number[] = []
  hashOf: (height: number, signal?: AbortSignal) => string | Promise<string> = () => 'ee'.repeat(32)

  async tip() {
    return { height: this.height }
  }

  async blockHash(height: number, { signal }: AbortOptions = {}) {
    throwIfAborted(signal)
    this.lookups.push(height)
    return fromHex(await this.hashOf(height, signal), 32)
  }
}

const unknownBlock = (height: number) => new ChainBlockUnknownError('http://server', height)

class Bench {
  readonly mesh = new FakeMesh()
  nowMs = NOW_MS
  reply = attestation()
  sleptMs = 0
  readonly peers: AttestedPeers
  readonly chain = new BeaconChain()

  constructor(policy = SIMNET_POLICY) {
    this.peers = new AttestedPeers(
      {
        mesh: this.mesh.asMesh(),
        clock: { nowMs: () => this.nowMs },
        random: { bytes: () => CHALLENGE },
        chain: this.chain,
        sleep: async (ms, { signal } = {}) => {
          throwIfAborted(signal)
          this.sleptMs += ms
        }
      },
      policy
    )
    this.mesh.remote = async (stream, protocol) => {
      assert.equal(protocol, PROTOCOLS.attest)
      const request = await stream.read()
      assert.ok(request)
      assert.deepEqual(decodeAttestRequest(request).challenge, CHALLENGE)
      await stream.write(encodeAttestReply(this.reply))
      await stream.close()
    }
  }

  attest(digest = statementDigest(this.reply.statement)) {
    return this.peers.attest(PEER_ID, digest)
  }
}

describe('attested peers', () => {
  it('asks the provider, checks its answer and remembers the verdict', async () => {
    const bench = new Bench()
    const peer = await bench.attest()
    assert.deepEqual(bench.mesh.failures, [])
    assert.equal(peer.enclave.tier, 'simulated')
    assert.equal(await bench.attest(), peer)
    assert.equal(bench.peers.remembered(PEER_ID), peer)
    assert.equal(bench.mesh.opened.length, 1)
    assert.equal(bench.mesh.opened[0]?.maxFrameBytes, LIMITS.attestReplyBytes)
  })

  it('asks again for another statement, after its end, and when told to forget', async () => {
    const bench = new Bench()
    const peer = await bench.attest()
    bench.reply = attestation({ bootId: '00'.repeat(16) })
    const next = await bench.attest()
    assert.notDeepEqual(next.enclave.statementDigest, peer.enclave.statementDigest)
    bench.peers.forget(PEER_ID)
    assert.equal(bench.peers.remembered(PEER_ID), undefined)
    await bench.attest()
    assert.equal(bench.mesh.opened.length, 3)
    bench.nowMs = next.enclave.expiresAtMs
    assert.equal(bench.peers.remembered(PEER_ID), undefined)
    await assert.rejects(bench.attest(), { code: 'ATTESTATION_EXPIRED' })
  })

  it('takes the statement that is shown now where a record named an older one', async () => {
    const bench = new Bench()
    const peer = await bench.attest(new Uint8Array(32))
    assert.deepEqual(peer.enclave.statementDigest, statementDigest(bench.reply.statement))
  })

  it('refuses what the policy, the chain or the peer’s key does not bear out, and remembers nothing of it', async () => {
    const cases: Array<[string, Partial<Bench>]> = [
      ['ATTESTATION_REPORT_DATA_MISMATCH', { reply: attestationOver() }],
      [
        'ATTESTATION_PEER_MISMATCH',
        { reply: attestation({ peerId: '12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3' }) }
      ],
      ['ATTESTATION_COSIGNATURE_INVALID', { reply: { ...attestation(), peerSignature: new Uint8Array(64) } }],
      [
        'ATTESTATION_NETWORK_MISMATCH',
        { reply: attestation({ beacon: { globalId: -239, height: 1, hash: 'ee'.repeat(32) } }) }
      ],
      [
        'ATTESTATION_BEACON_AHEAD',
        { reply: attestation({ beacon: { globalId: -3, height: 9_999, hash: 'ee'.repeat(32) } }) }
      ]
    ]
    for (const [code, changes] of cases) {
      const bench = Object.assign(new Bench(), changes)
      await assert.rejects(bench.attest(), { code, errorClass: 'attestation' })
      assert.equal(bench.peers.remembered(PEER_ID), undefined)
    }
    await assert.rejects(new Bench(DEFAULT_POLICY).attest(), { code: 'ATTESTATION_TIER_REFUSED' })
  })

  const naming = (height: number, hash = 'ee'.repeat(32)) => attestation({ beacon: { globalId: -3, height, hash } })

  it('compares the block that the statement names with the chain’s, with one request, and none while it is remembered', async () => {
    const bench = new Bench()
    await bench.attest()
    await bench.attest()
    assert.deepEqual(bench.chain.lookups, [1_000])
    bench.peers.forget(PEER_ID)
    bench.chain.hashOf = () => 'ef'.repeat(32)
    await assert.rejects(bench.attest(), { code: 'ATTESTATION_BEACON_MISMATCH', errorClass: 'attestation' })
    assert.equal(bench.peers.remembered(PEER_ID), undefined)
    bench.reply = naming(999, 'ef'.repeat(32))
    await bench.attest()
    assert.deepEqual(bench.chain.lookups, [1_000, 1_000, 999])
    assert.equal(bench.sleptMs, 0)
  })

  it('looks up no block that the policy refuses by its number, and none for what is no statement', async () => {
    const bench = new Bench()
    bench.chain.height = 30_000
    const { maxBeaconAgeBlocks } = SIMNET_POLICY
    const cases: Array<[string, Bench['reply']]> = [
      ['ATTESTATION_BEACON_AHEAD', naming(30_065)],
      ['ATTESTATION_BEACON_TOO_OLD', naming(30_000 - maxBeaconAgeBlocks - 1)],
      [
        'ATTESTATION_NETWORK_MISMATCH',
        attestation({ beacon: { globalId: -239, height: 30_000, hash: 'ee'.repeat(32) } })
      ],
      ['ATTESTATION_STATEMENT_INVALID', { ...attestation(), statement: Buffer.from('{}') }]
    ]
    for (const [code, reply] of cases) {
      bench.reply = reply
      await assert.rejects(bench.attest(), { code })
    }
    assert.deepEqual([bench.chain.lookups, bench.sleptMs], [[], 0])
    for (const height of [30_064, 30_000 - maxBeaconAgeBlocks]) {
      bench.reply = naming(height)
      await bench.attest()
      assert.equal(bench.chain.lookups.at(-1), height)
    }
  })

  it('waits for a block that our chain is about to have, then compares', async () => {
    for (const hash of ['ee'.repeat(32), 'ef'.repeat(32)]) {
      const bench = new Bench()
      bench.reply = naming(1_005)
      bench.chain.hashOf = height => {
        bench.chain.height = 1_000 + bench.chain.lookups.length
        if (bench.chain.height < height) {
          throw unknownBlock(height)
        }
        return hash
      }
      const asked = bench.attest()
      await (hash === 'ee'.repeat(32) ? asked : assert.rejects(asked, { code: 'ATTESTATION_BEACON_MISMATCH' }))
      assert.equal(bench.chain.lookups.length, 5)
      assert.ok(bench.sleptMs > 500 && bench.sleptMs < 10_000, `${bench.sleptMs} ms`)
    }
  })

  it('gives up a block that does not come within ten seconds', async () => {
    for (const [height, code] of [
      [1_064, 'ATTESTATION_BEACON_AHEAD'],
      // Servers are a few blocks apart: the one that was asked may not have the newest yet.
      [1_000, 'CHAIN_BLOCK_UNKNOWN']
    ] as const) {
      const bench = new Bench()
      bench.reply = naming(height)
      bench.chain.hashOf = asked => {
        throw unknownBlock(asked)
      }
      await assert.rejects(bench.attest(), { code })
      assert.ok(bench.sleptMs > 8_000 && bench.sleptMs <= 10_000, `${bench.sleptMs} ms`)
      assert.ok(bench.chain.lookups.length < 20)
      assert.equal(bench.peers.remembered(PEER_ID), undefined)
    }
  })

  it('fails as the chain fails, where that cannot tell', async () => {
    for (const [height, failure] of [
      [1_000, new NetworkError('CHAIN_UNREACHABLE', 'nobody there')],
      [1_050, new NetworkError('CHAIN_UNREACHABLE', 'nobody there')],
      [900, unknownBlock(900)]
    ] as const) {
      const bench = new Bench()
      bench.reply = naming(height)
      bench.chain.hashOf = () => Promise.reject(failure)
      await assert.rejects(bench.attest(), failure)
      assert.deepEqual([bench.sleptMs, bench.chain.lookups.length], [0, 1])
      assert.equal(bench.peers.remembered(PEER_ID), undefined)
    }
  })

  it('does not wait for the chain where the rest is refused already, and leaves nothing running', async () => {
    const bench = new Bench()
    let lookup: AbortSignal | undefined
    bench.chain.hashOf = (_, signal) => {
      lookup = signal
      return new Promise(() => undefined)
    }
    bench.reply = { ...attestation(), evidence: new Uint8Array(1) }
    await assert.rejects(bench.attest(), { code: 'ATTESTATION_EVIDENCE_INVALID' })
    assert.equal(lookup?.aborted, true)
  })

  it('stops looking when it is cancelled', async () => {
    const bench = new Bench()
    const cancel = new AbortController()
    bench.chain.hashOf = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new CancelledError('Cancelled')))
      })
    const { verdict } = await bench.peers.show(PEER_ID, { signal: cancel.signal })
    cancel.abort()
    await assert.rejects(verdict, { code: 'CANCELLED' })
  })

  it('resets the stream of a provider that is silent, or answers garbage', async () => {
    const bench = new Bench()
    bench.mesh.remote = stream => stream.close()
    await assert.rejects(bench.attest(), { code: 'PEER_SILENT' })
    bench.mesh.remote = async stream => {
      await stream.write(Uint8Array.of(255))
      await stream.close()
    }
    await assert.rejects(bench.attest(), { code: 'MESSAGE_MALFORMED' })
    bench.mesh.remote = async stream => stream.lose()
    await assert.rejects(bench.attest(), { code: 'CONNECTION_LOST' })
    assert.ok(bench.mesh.opened.every(({ stream }) => stream.abortedWith !== undefined))
  })

  it('gives up when cancelled', async () => {
    const bench = new Bench()
    bench.mesh.remote = async () => undefined
    const cancel = new AbortController()
    const asking = bench.peers.attest(PEER_ID, new Uint8Array(32), { signal: cancel.signal })
    cancel.abort()
    await assert.rejects(asking, { code: 'CANCELLED' })
  })

  it('does not take a record’s word for the model', async () => {
    const peer = await new Bench().attest()
    expectModel(peer, 'aa'.repeat(32))
    assert.throws(() => expectModel(peer, 'ac'.repeat(32)), { code: 'MODEL_MISMATCH', errorClass: 'peer' })
  })
})
