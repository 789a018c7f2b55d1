import { randomBytes, sign, verify } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { ed25519FromSeed, ed25519PublicKey } from '../../src/core/ed25519.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { Ledger, type LedgerWrite, signVoucher, verifyVoucher } from '../../src/payments/index.ts'
import { round } from './statistics.ts'

const GLOBAL_ID = -217
const CHANNEL = `0:${'ab'.repeat(32)}`

/** Vouchers made and checked, and 160-byte records made durable, per second; raw Ed25519 beside them as the yardstick. */
export async function benchVouchers(durationMs = 1_000): Promise<Record<string, number>> {
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
    checkOverRawVerify: round(checked / rawVerify),
    persistPerSecondOneWriter: Math.round(await persistRate(durationMs, 1)),
    persistPerSecond32Writers: Math.round(await persistRate(durationMs, 32))
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

/** Accepted vouchers made durable per second, each writer waiting for its own: the provider's books, one channel a writer. */
async function persistRate(durationMs: number, writers: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-bench-ledger-'))
  const database = new ClassicLevel<string, string>(folder)
  await database.open()
  try {
    const ledger = new Ledger(database)
    const startMs = performance.now()
    let writes = 0
    const write = async (writer: number): Promise<void> => {
      for (let amount = 1n; performance.now() - startMs < durationMs; amount++) {
        await ledger.commit({ kind: 'payee', record: bookOf(writer, amount) })
        writes++
      }
    }
    await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
    return (writes * 1000) / (performance.now() - startMs)
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
}

type PayeeRecord = Extract<LedgerWrite, { kind: 'payee' }>['record']

function bookOf(writer: number, amount: bigint): PayeeRecord {
  return {
    channel: `0:${writer.toString(16).padStart(64, '0')}`,
    terms: {
      globalId: GLOBAL_ID,
      payerKey: new Uint8Array(32),
      payerAddress: CHANNEL,
      payeeKey: new Uint8Array(32),
      payeeAddress: CHANNEL,
      salt: 1n,
      challengeSeconds: 21_600
    },
    peerId: '12D3KooWGzBXAbAGVCHvZyxKBMNVjHDJHYeTUkxZrbA3JqLQ5Tuy',
    state: 'open',
    openedLt: 1n,
    deposit: nanoTon(10n ** 9n),
    settled: nanoTon(0n),
    accepted: nanoTon(amount),
    signature: new Uint8Array(64),
    delivered: nanoTon(0n),
    uncertain: nanoTon(0n),
    charged: nanoTon(0n),
    running: [],
    agreed: { cumulative: nanoTon(0n), validUntil: 0 },
    viewedAtMs: 0,
    closeAtMs: 0,
    unclaimedSinceMs: 1_800_000_000_000,
    lastUsedAtMs: 1_800_000_000_000,
    needsResync: false
  }
}
