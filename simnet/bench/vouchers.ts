import { randomBytes, sign, verify } from 'node:crypto'
import { ed25519FromSeed, ed25519PublicKey } from '../../src/core/ed25519.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { signVoucher, verifyVoucher } from '../../src/payments/index.ts'
import { round } from './statistics.ts'

const GLOBAL_ID = -217
const CHANNEL = `0:${'ab'.repeat(32)}`

/** Vouchers made and checked per second; raw Ed25519 beside them as the yardstick. */
export function benchVouchers(durationMs = 1_000): Record<string, number> {
  const key = ed25519FromSeed(randomBytes(32))
  const publicKey = ed25519PublicKey(key.publicKey)
  const message = randomBytes(32)
  const signature = sign(null, message, key.privateKey)
  let amount = 0n
  const make = () => signVoucher(key, GLOBAL_ID, { channel: CHANNEL, openedLt: 1n, cumulative: nanoTon(++amount) })
  const voucher = make()
  const rawSign = ratePerSecond(durationMs, () => sign(null, message, key.privateKey))
  const made = ratePerSecond(durationMs, make)
  const rawVerify = ratePerSecond(durationMs, () => verify(null, message, publicKey, signature))
  const checked = ratePerSecond(durationMs, () => verifyVoucher(publicKey, GLOBAL_ID, voucher))
  return {
    makePerSecond: Math.round(made),
    makeOverRawSign: round(made / rawSign),
    checkPerSecond: Math.round(checked),
    checkOverRawVerify: round(checked / rawVerify)
  }
}

/** How often `task` runs in a second. */
function ratePerSecond(durationMs: number, task: () => unknown): number {
  const startMs = performance.now()
  let runs = 0
  let elapsedMs = 0
  while (elapsedMs < durationMs) {
    for (let batch = 0; batch < 50; batch++) {
      task()
    }
    runs += 50
    elapsedMs = performance.now() - startMs
  }
  return (runs * 1000) / elapsedMs
}
