import { fromHex, sha256, toHex } from '../core/bytes.ts'
import { AttestationError, PeerError } from '../core/errors.ts'
import type { SealSuite, SealTarget } from '../seal/index.ts'
import type { AttestedPeer } from './attested-peers.ts'

/**
 * The key of an attested enclave in the suite the client seals with. There is no falling back to another suite: a relay
 * that hides the key of one loses the job.
 *
 * @throws {PeerError} `SUITE_NOT_OFFERED` unless the enclave offers the suite
 * @throws {AttestationError} `ATTESTATION_XWING_KEY_MISMATCH` if the key is not the one its statement names
 */
export function sealTarget(
  { peerId, enclave, xwingKey }: Pick<AttestedPeer, 'peerId' | 'enclave' | 'xwingKey'>,
  suite: SealSuite
): SealTarget {
  const { statementDigest, statement } = enclave
  if (suite === 'x25519') {
    return { suite, statementDigest, hpkePublicKey: fromHex(statement.hpkeKey, 32) }
  }
  if (statement.xwingKeyId === undefined || xwingKey === undefined) {
    throw new PeerError('SUITE_NOT_OFFERED', `${peerId} does not offer the suite ${suite}: choose another provider`)
  }
  if (toHex(sha256(xwingKey)) !== statement.xwingKeyId) {
    throw new AttestationError(
      'ATTESTATION_XWING_KEY_MISMATCH',
      `${peerId} shows another X-Wing key than its statement names: do not use it`
    )
  }
  return { suite, statementDigest, hpkePublicKey: xwingKey }
}
