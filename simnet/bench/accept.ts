import { randomBytes, verify } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ed25519KeyPair, ed25519FromSeed, ed25519PublicKey, ed25519Sign } from '../../src/core/ed25519.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { openStore } from '../../src/node/store.ts'
import { type Ledger, PayeeChannels, signVoucher, type Voucher } from '../../src/payments/index.ts'
import { STANDING_DEPOSIT, standingChain } from './standing-chain.ts'
import { median, round } from './statistics.ts'

const GLOBAL_ID = -217
const CLIENT = '12D3KooWGzBXAbAGVCHvZyxKBMNVjHDJHYeTUkxZrbA3JqLQ5Tuy'
const ADDRESS = `0:${'ab'.repeat(32)}`

/** A provider's books, and the channels it was paid through. */
export class BenchBooks {
  readonly payerKey: Ed25519KeyPair = ed25519FromSeed(randomBytes(32))
  readonly payee: PayeeChannels
  readonly #payeeKey = ed25519FromSeed(randomBytes(32))
  readonly #chain = standingChain(GLOBAL_ID)

  constructor(ledger: Ledger) {
    this.payee = new PayeeChannels(
      {
        ledger,
        chain: this.#chain,
        clock: { nowMs: () => Date.now() },
        logger: silentLogger,
        key: this.#payeeKey,
        payeeAddress: ADDRESS
      },
      { minimumDeposit: STANDING_DEPOSIT, minimumChallengeSeconds: 1 }
    )
  }

  /** Admits a channel and returns its address. */
  async admit(salt: bigint): Promise<string> {
    const terms = {
      globalId: GLOBAL_ID,
      payerKey: this.payerKey.publicKey,
      payerAddress: ADDRESS,
      payeeKey: this.#payeeKey.publicKey,
      payeeAddress: ADDRESS,
      salt,
      challengeSeconds: 21_600
    }
    return (await this.payee.admit(terms, CLIENT)).channel
  }

  voucher(channel: string, cumulative: bigint): Voucher {
    return signVoucher(this.payerKey, GLOBAL_ID, { channel, openedLt: 1n, cumulative: nanoTon(cumulative) })
  }
}

/** Runs `task` over books in a fresh folder, in a database as a node has it. */
export async function withBooks<T>(folder: string, task: (books: BenchBooks) => Promise<T>): Promise<T> {
  const store = await openStore(folder)
  try {
    return await task(new BenchBooks(store.ledger))
  } finally {
    await store.close()
  }
}

/**
 * Vouchers checked and made durable per second by a provider, over many channels at once, each voucher after the last one of its
 * channel; and what the raw signature check makes in one thread in the same moments. The provider checks on the thread pool.
 */
export async function benchAccept(channels: number, perChannel = 100, rounds = 5): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-bench-books-'))
  try {
    return await withBooks(folder, books => acceptOver(books, channels, perChannel, rounds))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function acceptOver(
  books: BenchBooks,
  channels: number,
  perChannel: number,
  rounds: number
): Promise<Record<string, number>> {
  const addresses = await Promise.all(Array.from({ length: channels }, (_, salt) => books.admit(BigInt(salt))))
  const [rates, ratios]: [number[], number[]] = [[], []]
  for (let turn = 0; turn < rounds; turn++) {
    const vouchers = addresses.map(channel =>
      Array.from({ length: perChannel }, (_, at) => books.voucher(channel, BigInt(turn * perChannel + at + 1)))
    )
    const raw = rawVerifyRate(books.payerKey, channels * perChannel)
    const startMs = performance.now()
    await Promise.all(
      vouchers.map(async list => {
        for (const voucher of list) {
          await books.payee.accept(voucher)
        }
      })
    )
    const rate = (channels * perChannel * 1000) / (performance.now() - startMs)
    rates.push(rate)
    ratios.push(rate / raw)
  }
  return {
    channels,
    acceptedPerSecond: Math.round(median(rates)),
    acceptedOverRawVerify: round(median(ratios))
  }
}

function rawVerifyRate(key: Ed25519KeyPair, count: number): number {
  const publicKey = ed25519PublicKey(key.publicKey)
  const message = randomBytes(32)
  const signature = ed25519Sign(key.privateKey, message)
  const startMs = performance.now()
  for (let i = 0; i < count; i++) {
    verify(null, message, publicKey, signature)
  }
  return (count * 1000) / (performance.now() - startMs)
}
