import { parseRawAddress } from '../../src/core/address.ts'
import { ed25519FromSeed, ed25519PublicKey, ed25519Sign, ed25519Verify } from '../../src/core/ed25519.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { Ledger, type LedgerDatabase, signVoucher, verifyVoucher, voucherHash } from '../../src/payments/index.ts'
import { planChannel } from '../../src/payments/payer-channel.ts'

export interface PaymentRates {
  /** Vouchers a second in one thread. */
  make: number
  check: number
  /** `node:crypto` alone over a ready 32-byte hash, for comparison. */
  rawSign: number
  rawVerify: number
  /** Durable channel records a second with that many channels writing at once. */
  persist1: number
  persist32: number
}

/** Measures what paying costs, for `durationMs` a figure. `database` is a real one: it is written with syncs. */
export async function measurePaymentRates(database: LedgerDatabase, durationMs = 1_000): Promise<PaymentRates> {
  const key = ed25519FromSeed(new Uint8Array(32).fill(9))
  const publicKey = ed25519PublicKey(key.publicKey)
  const channel = `0:${'5a'.repeat(32)}`
  const fields = (n: number) => ({ channel, openedLt: 1_234_567_890_123n, cumulative: nanoTon(BigInt(n)) })
  const signed = signVoucher(key, -217, fields(1))
  const hash = voucherHash({ globalId: -217, ...fields(1), channel: parseRawAddress(channel) })
  const ledger = new Ledger(database)
  const address = `0:${'11'.repeat(32)}`
  const terms = {
    globalId: -217,
    payerKey: key.publicKey,
    payerAddress: address,
    payeeKey: key.publicKey,
    payeeAddress: address,
    salt: 1n,
    challengeSeconds: 3_600
  }
  const persist = (writers: number): Promise<number> =>
    rateAsync(durationMs, writers, async (writer, n) => {
      const plan = planChannel(`0:${String(writer).padStart(64, '0')}`, terms, 'peer', {
        amount: nanoTon(1n),
        before: nanoTon(0n),
        sentAtMs: 0
      })
      const record = { ...plan, signed: nanoTon(BigInt(n)), signature: signed.signature }
      await ledger.commit({ kind: 'payer', record })
    })
  return {
    make: rate(durationMs, n => signVoucher(key, -217, fields(n))),
    check: rate(durationMs, () => verifyVoucher(publicKey, -217, signed)),
    rawSign: rate(durationMs, () => ed25519Sign(key.privateKey, hash)),
    rawVerify: rate(durationMs, () => ed25519Verify(publicKey, hash, signed.signature)),
    persist1: await persist(1),
    persist32: await persist(32)
  }
}

function rate(durationMs: number, work: (n: number) => unknown): number {
  const start = performance.now()
  let n = 0
  while (performance.now() - start < durationMs) {
    work(++n)
  }
  return Math.round((n * 1000) / (performance.now() - start))
}

async function rateAsync(
  durationMs: number,
  writers: number,
  work: (writer: number, n: number) => Promise<unknown>
): Promise<number> {
  const start = performance.now()
  let n = 0
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      while (performance.now() - start < durationMs) {
        await work(writer, ++n)
      }
    })
  )
  return Math.round((n * 1000) / (performance.now() - start))
}
