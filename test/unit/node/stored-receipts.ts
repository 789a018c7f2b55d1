import {
  encodeStatement,
  makeReceipt,
  makeSimulatedEvidence,
  type Receipt,
  reportData,
  type StoredReceipt,
  statementCosignMessage
} from '../../../src/attest/index.ts'
import { fromHex, toHex } from '../../../src/core/bytes.ts'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { peerIdentity } from '../../../src/mesh/index.ts'
import { signVoucher } from '../../../src/payments/index.ts'
import { channelAddress } from '../../../src/ton/index.ts'
import { receiptFields, receiptKeys, STATEMENT, VOUCHER_TERMS } from '../attest/fixtures.ts'

const identity = await peerIdentity(new Uint8Array(32).fill(0x77))

const payer = ed25519FromSeed(new Uint8Array(32).fill(0x55))
const TERMS = { ...VOUCHER_TERMS, payerKey: toHex(payer.publicKey) }
const CHANNEL = channelAddress({
  ...TERMS,
  payerKey: payer.publicKey,
  payeeKey: fromHex(TERMS.payeeKey, 32),
  salt: BigInt(TERMS.salt)
})

/** A receipt as a node stores it, whose provider is a real libp2p peer. */
export function storedReceipt(changes: Partial<Receipt> = {}): StoredReceipt {
  const document = { ...STATEMENT, peerId: identity.id }
  const statement = encodeStatement(document)
  const fields = { ...receiptFields(statement), channel: CHANNEL, providerPeerId: identity.id, ...changes }
  const { bytes, signature } = makeReceipt(fields, receiptKeys)
  const { channel, openedLt } = fields
  const voucher = { channel, openedLt: BigInt(openedLt), cumulative: nanoTon(5_000n) }
  return {
    receipt: bytes,
    signature,
    statement,
    evidence: makeSimulatedEvidence({
      bundleDigest: Buffer.from(document.software.bundleDigest, 'hex'),
      reportData: reportData(statement, document.beacon)
    }),
    peerSignature: identity.sign(statementCosignMessage(statement)),
    finalVoucher: {
      channel,
      openedLt,
      cumulative: '5000',
      signature: signVoucher(payer, TERMS.globalId, voucher).signature,
      terms: TERMS
    }
  }
}
