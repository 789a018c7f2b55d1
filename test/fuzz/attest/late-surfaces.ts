import assert from 'node:assert/strict'
import { DEFAULT_POLICY, makeReceipt, type Receipt, verifyStoredReceipt } from '../../../src/attest/index.ts'
import { MAX_RIM_BYTES, verifyRim } from '../../../src/attest/nvidia/rim.ts'
import { decodeReceipt } from '../../../src/attest/receipt.ts'
import { MAX_COLLATERAL_BYTES, readCollateral } from '../../../src/attest/tdx/collateral.ts'
import { MAX_EVENT_LOG_BYTES, parseEventLog } from '../../../src/attest/tdx/event-log.ts'
import { MAX_QUOTE_BYTES, parseQuote } from '../../../src/attest/tdx/quote.ts'
import { MAX_CERTIFICATE_BYTES, parseCertificate } from '../../../src/attest/x509/certificate.ts'
import { MAX_CRL_BYTES, parseCrl } from '../../../src/attest/x509/crl.ts'
import { receiptKeys } from '../../unit/attest/fixtures.ts'
import type { Surface } from '../surface.ts'
import type { DocumentSeeds } from './document-seeds.ts'
import { MADE_NOW_MS } from './x509-seeds.ts'

const LARGE: ReadonlyArray<readonly [most: number, read: (bytes: Uint8Array) => unknown]> = [
  [MAX_QUOTE_BYTES, parseQuote],
  [MAX_CRL_BYTES, parseCrl],
  [MAX_CERTIFICATE_BYTES, parseCertificate],
  [MAX_EVENT_LOG_BYTES, parseEventLog],
  [MAX_RIM_BYTES, bytes => verifyRim(bytes, MADE_NOW_MS)],
  [MAX_COLLATERAL_BYTES, bytes => readCollateral({ tcb_info: 'x'.repeat(bytes.length) })]
]

/** What random damage hardly makes: inputs at the limits of size, and receipts that are signed and wrong. */
export function lateSurfaces(seeds: DocumentSeeds): Surface[] {
  return [
    {
      name: 'size-limit',
      weight: 1,
      feed: random => {
        const [most, read] = random.pick(LARGE)
        const bytes = new Uint8Array(most + random.below(3) - 1).fill(random.pick([0x00, 0x20, 0x30, 0x3c, 0xff]))
        assert.ok(read(bytes) === undefined, 'something was read where nothing stands')
        return 'read'
      }
    },
    {
      name: 'signed-receipt',
      weight: 12,
      feed: async random => {
        const receipt = decodeReceipt(seeds.receipt.receipt)
        const change = random.pick<Partial<Receipt>>([
          { cost: String(random.below(1_000) + 240) },
          { promptTokens: random.below(100) },
          { completionTokens: 1_000 + random.below(2 ** 30) },
          { modelDigest: Buffer.from(random.bytes(32)).toString('hex') },
          { statementDigest: Buffer.from(random.bytes(32)).toString('hex') },
          { endedAtMs: receipt.startedAtMs - 1 - random.below(1_000) },
          { channel: `0:${Buffer.from(random.bytes(32)).toString('hex')}` },
          { openedLt: String(random.uint32()) },
          { providerPeerId: receipt.clientPeerId },
          { startedAtMs: receipt.startedAtMs + 86_400_000, endedAtMs: receipt.endedAtMs + 86_400_000 },
          { prices: { ...receipt.prices, promptPerMTokens: '18446744073709551615' } }
        ])
        const signed = makeReceipt({ ...receipt, ...change }, receiptKeys)
        const [input] = seeds.sound
        await verifyStoredReceipt({
          stored: { ...seeds.receipt, receipt: signed.bytes, signature: signed.signature },
          policy: input?.policy ?? DEFAULT_POLICY,
          verifyPeerSignature: input?.verifyPeerSignature ?? (() => false)
        })
        throw new assert.AssertionError({ message: `a receipt holds with another ${Object.keys(change).join(', ')}` })
      }
    }
  ]
}
