import assert from 'node:assert/strict'
import { SIMNET_POLICY, type Statement, statementDigest } from '../../../src/attest/index.ts'
import { AttestedPeers } from '../../../src/client/attested-peers.ts'
import { encodeAttestReply } from '../../../src/wire/attest-exchange.ts'
import { attestation as attestationOver, NOW_MS, PEER_ID } from '../attest/fixtures.ts'
import { FakeMesh } from './mesh-fixture.ts'

const CHALLENGE = new Uint8Array(32).fill(5)
const OLD_DIGEST = new Uint8Array(32)

const attestation = (changes: Partial<Statement> = {}) => attestationOver(changes, CHALLENGE)

/** A client, and a provider that answers what the test says. */
class Bench {
  readonly mesh = new FakeMesh()
  reply: Uint8Array = encodeAttestReply(attestation())
  /** Waits before each answer. */
  before: () => Promise<void> = async () => undefined
  readonly peers: AttestedPeers

  constructor() {
    const chain = {
      globalId: -3,
      tip: async () => ({ height: 1_000 }),
      blockHash: async () => new Uint8Array(32).fill(0xee)
    }
    this.peers = new AttestedPeers(
      { mesh: this.mesh.asMesh(), clock: { nowMs: () => NOW_MS }, random: { bytes: () => CHALLENGE }, chain },
      SIMNET_POLICY
    )
    this.mesh.remote = async stream => {
      await stream.read()
      await this.before()
      await stream.write(this.reply)
      await stream.close()
    }
  }

  get exchanges(): number {
    return this.mesh.opened.length
  }
}

describe('a provider that makes no evidence now', () => {
  const REFUSAL = { code: 'ATTESTATION_BUSY', errorClass: 'peer', details: { peerId: PEER_ID, retryAfterMs: 61_500 } }

  it('is one error that says when to come again, and nothing is remembered of it', async () => {
    const bench = new Bench()
    bench.reply = encodeAttestReply({ retryAfterMs: 61_500 })
    await assert.rejects(bench.peers.attest(PEER_ID, OLD_DIGEST), { ...REFUSAL, message: /before 62 s/ })
    await assert.rejects(bench.peers.show(PEER_ID), REFUSAL)
    assert.equal(bench.peers.remembered(PEER_ID), undefined)
    // It is asked once each time that somebody wants it.
    assert.equal(bench.exchanges, 2)
    bench.reply = encodeAttestReply(attestation())
    await bench.peers.attest(PEER_ID, OLD_DIGEST)
  })

  it('is refused itself for one that lasts too long', async () => {
    const bench = new Bench()
    bench.reply = encodeAttestReply({ retryAfterMs: 600_001 })
    await assert.rejects(bench.peers.attest(PEER_ID, OLD_DIGEST), { code: 'MESSAGE_MALFORMED' })
  })

  it('is asked once for all jobs that begin at the same time, and each of them can be given up', async () => {
    const bench = new Bench()
    let answer = (): void => undefined
    bench.before = () =>
      new Promise(resolve => {
        answer = resolve
      })
    const cancel = new AbortController()
    const [cancelled, ...jobs] = [cancel.signal, undefined, new AbortController().signal].map(signal =>
      bench.peers.attest(PEER_ID, OLD_DIGEST, signal === undefined ? {} : { signal })
    )
    cancel.abort()
    await assert.rejects(cancelled ?? Promise.resolve(), { code: 'CANCELLED' })
    answer()
    const [first, second] = await Promise.all(jobs)
    assert.equal(first, second)
    assert.equal(bench.exchanges, 1)
  })

  it('is not asked again for a capacity record that was found to be old', async () => {
    const bench = new Bench()
    const shown = await bench.peers.attest(PEER_ID, OLD_DIGEST)
    assert.equal(await bench.peers.attest(PEER_ID, OLD_DIGEST), shown)
    assert.equal(await bench.peers.attest(PEER_ID, shown.enclave.statementDigest), shown)
    assert.equal(bench.exchanges, 1)
    const next = attestation({ bootId: '00'.repeat(16) })
    bench.reply = encodeAttestReply(next)
    const restarted = await bench.peers.attest(PEER_ID, statementDigest(next.statement))
    assert.notEqual(restarted, shown)
    assert.equal(bench.exchanges, 2)
    bench.peers.forget(PEER_ID)
    await bench.peers.attest(PEER_ID, OLD_DIGEST)
    assert.equal(bench.exchanges, 3)
  })
})
