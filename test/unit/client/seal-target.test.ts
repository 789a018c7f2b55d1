import assert from 'node:assert/strict'
import type { AttestedPeer } from '../../../src/client/attested-peers.ts'
import { sealTarget } from '../../../src/client/seal-target.ts'
import { fromHex, sha256, toHex } from '../../../src/core/bytes.ts'

const KEY = new Uint8Array(1_216).fill(4)

function peer(xwingKeyId: string | undefined, xwingKey: Uint8Array | undefined) {
  const statement = { hpkeKey: '11'.repeat(32), ...(xwingKeyId === undefined ? {} : { xwingKeyId }) }
  const enclave = { statement, statementDigest: new Uint8Array(32).fill(2) } as unknown as AttestedPeer['enclave']
  return { peerId: '12D3KooWx', enclave, ...(xwingKey === undefined ? {} : { xwingKey }) }
}

describe('the key a request is sealed to', () => {
  const keyId = toHex(sha256(KEY))

  it('is the one of the suite', () => {
    const statementDigest = new Uint8Array(32).fill(2)
    const offered = peer(keyId, KEY)
    assert.deepEqual(sealTarget(offered, 'xwing'), { suite: 'xwing', statementDigest, hpkePublicKey: KEY })
    const hpkePublicKey = fromHex('11'.repeat(32), 32)
    assert.deepEqual(sealTarget(offered, 'x25519'), { suite: 'x25519', statementDigest, hpkePublicKey })
  })

  it('is refused where the enclave does not offer the suite, or its relay hides the key: nothing weaker is taken', () => {
    for (const [id, key] of [
      [undefined, undefined],
      [undefined, KEY],
      [keyId, undefined]
    ] as const) {
      assert.throws(() => sealTarget(peer(id, key), 'xwing'), { code: 'SUITE_NOT_OFFERED', errorClass: 'peer' })
      assert.equal(sealTarget(peer(id, key), 'x25519').suite, 'x25519')
    }
  })

  it('is refused where it is another than the statement names', () => {
    const fault = { code: 'ATTESTATION_XWING_KEY_MISMATCH', errorClass: 'attestation' }
    assert.throws(() => sealTarget(peer(keyId, KEY.with(0, 5)), 'xwing'), fault)
  })
})
