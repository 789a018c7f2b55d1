import assert from 'node:assert/strict'
import { DEFAULT_POLICY, SIMNET_POLICY, type Statement, statementDigest } from '../../../src/attest/index.ts'
import { AttestedPeers, expectModel } from '../../../src/client/attested-peers.ts'
import { decodeAttestRequest, encodeAttestReply } from '../../../src/wire/attest-exchange.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { PROTOCOLS } from '../../../src/wire/protocols.ts'
import { attestation as attestationOver, NOW_MS, PEER_ID } from '../attest/fixtures.ts'
import { FakeMesh } from './mesh-fixture.ts'

const CHALLENGE = new Uint8Array(32).fill(5)

/** As a provider shows it over this client's challenge. */
const attestation = (changes: Partial<Statement> = {}) => attestationOver(changes, CHALLENGE)

class Bench {
  readonly mesh = new FakeMesh()
  nowMs = NOW_MS
  reply = attestation()
  readonly peers: AttestedPeers

  constructor(policy = SIMNET_POLICY) {
    this.peers = new AttestedPeers(
      {
        mesh: this.mesh.asMesh(),
        clock: { nowMs: () => this.nowMs },
        random: { bytes: () => CHALLENGE },
        chain: { globalId: -3, tip: async () => ({ height: 1_000 }) }
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
