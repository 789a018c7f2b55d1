import fc from 'fast-check'
import type { Clock } from '../../../src/core/clock.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import type { Capacity } from '../../../src/mesh/index.ts'

export const NOW_MS = 1_800_000_000_000

export class ManualClock implements Clock {
  #nowMs = NOW_MS

  nowMs(): number {
    return this.#nowMs
  }

  advance(ms: number): void {
    this.#nowMs += ms
  }
}

export function sampleCapacity(peerId: string, changes: Partial<Capacity> = {}): Capacity {
  return {
    peerId,
    addresses: ['/ip4/127.0.0.1/tcp/4001'],
    models: [
      {
        name: 'pocket',
        digest: new Uint8Array(32).fill(7),
        contextTokens: 2048,
        quantization: 'Q8_0',
        tokensPerSecond: 120
      }
    ],
    gpus: [{ name: 'NVIDIA H100 80GB HBM3', vramTotalBytes: 85_520_809_984, vramFreeBytes: 80_000_000_000 }],
    backend: 'cuda',
    slotsTotal: 4,
    slotsFree: 3,
    prices: {
      promptPerMTokens: nanoTon(100n),
      cachedPromptPerMTokens: nanoTon(10n),
      completionPerMTokens: nanoTon(400n)
    },
    tier: 'simulated',
    statementDigest: new Uint8Array(32).fill(1),
    payment: {
      payeeKey: new Uint8Array(32).fill(2),
      payeeAddress: 'EQ-payee',
      minimumDeposit: nanoTon(1_000_000n),
      networks: [-3]
    },
    sequence: BigInt(NOW_MS),
    expiresAtMs: NOW_MS + 3_600_000,
    ...changes
  }
}

// fast-check makes objects without a prototype now and then, which a decoder never does.
const plain = { noNullPrototype: true } as const
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
const amount = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(nanoTon)
const uint32 = fc.nat({ max: 2 ** 32 - 1 })
const size = fc.maxSafeNat()
const words = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: 'binary', maxLength })
    .filter(text => text.length <= maxLength && !/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}/u.test(text))

/** Valid records of one peer, all fields varied. */
export function anyCapacity(peerId: string): fc.Arbitrary<Capacity> {
  return fc
    .record({
      addresses: fc.array(
        fc.tuple(fc.ipV4(), fc.nat({ max: 65_535 })).map(([ip, port]) => `/ip4/${ip}/tcp/${port}`),
        { maxLength: 4 }
      ),
      models: fc.array(
        fc.record(
          { name: words(40), digest, contextTokens: uint32, quantization: words(16), tokensPerSecond: uint32 },
          plain
        ),
        { maxLength: 3 }
      ),
      gpus: fc.array(fc.record({ name: words(40), vramTotalBytes: size, vramFreeBytes: size }, plain), {
        maxLength: 3
      }),
      backend: fc.constantFrom('cuda', 'vulkan', 'metal', 'cpu'),
      slots: fc.tuple(uint32, uint32),
      prices: fc.record(
        { promptPerMTokens: amount, cachedPromptPerMTokens: amount, completionPerMTokens: amount },
        plain
      ),
      tier: words(32),
      statementDigest: digest,
      payment: fc.record(
        {
          payeeKey: digest,
          payeeAddress: words(60),
          minimumDeposit: amount,
          networks: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 3 })
        },
        plain
      ),
      sequence: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
      lifetimeMs: fc.nat({ max: 24 * 3_600_000 })
    })
    .map(({ slots, lifetimeMs, ...rest }) => ({
      ...rest,
      peerId,
      slotsTotal: Math.max(...slots),
      slotsFree: Math.min(...slots),
      expiresAtMs: NOW_MS + lifetimeMs
    }))
}
