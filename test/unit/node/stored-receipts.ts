import {
  encodeStatement,
  makeReceipt,
  makeSimulatedEvidence,
  type Receipt,
  reportData,
  type StoredReceipt,
  statementCosignMessage
} from '../../../src/attest/index.ts'
import { peerIdentity } from '../../../src/mesh/index.ts'
import { receiptFields, receiptKeys, STATEMENT } from '../attest/fixtures.ts'

const identity = await peerIdentity(new Uint8Array(32).fill(0x77))

/** A receipt as a node stores it, whose provider is a real libp2p peer. */
export function storedReceipt(changes: Partial<Receipt> = {}): StoredReceipt {
  const document = { ...STATEMENT, peerId: identity.id }
  const statement = encodeStatement(document)
  const fields = { ...receiptFields(statement), providerPeerId: identity.id, ...changes }
  const { bytes, signature } = makeReceipt(fields, receiptKeys.privateKey)
  const { channel, openedLt } = fields
  return {
    receipt: bytes,
    signature,
    statement,
    evidence: makeSimulatedEvidence({
      bundleDigest: Buffer.from(document.software.bundleDigest, 'hex'),
      reportData: reportData(statement, document.beacon)
    }),
    peerSignature: identity.sign(statementCosignMessage(statement)),
    finalVoucher: { channel, openedLt, cumulative: '5000', signature: new Uint8Array(64).fill(6) }
  }
}
