import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PeerError } from '../../../src/core/errors.ts'
import { MAX_NANO_TON, nanoTon } from '../../../src/core/nano-ton.ts'
import type { TokenPrices } from '../../../src/core/price.ts'
import type { Recipient, SealedBody } from '../../../src/wire/announcement.ts'
import { encodeAmount } from '../../../src/wire/check.ts'
import type { SignedVoucher, WireChannelTerms } from '../../../src/wire/job-stream.ts'
import { LIMITS } from '../../../src/wire/limits.ts'

// fast-check makes objects without a prototype now and then, which a decoder never does.
export const plain = { noNullPrototype: true } as const

export const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
export const uint32 = fc.nat({ max: 2 ** 32 - 1 })
export const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

/** Numbers between two powers of two are what codecs of 64 bits get wrong, so none of them is left to chance. */
export const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.nat({ max: 63 }).chain(power => fc.bigInt({ min: 1n << BigInt(power), max: (2n << BigInt(power)) - 1n }))
)
export const price = uint64.map(nanoTon)
export const prices: fc.Arbitrary<TokenPrices> = fc.record(
  { promptPerMTokens: price, cachedPromptPerMTokens: price, completionPerMTokens: price },
  plain
)
export const timeMs = fc.oneof(fc.maxSafeNat(), fc.integer({ min: 2 ** 31, max: 2 ** 32 }))
export const coins = fc.bigInt({ min: 0n, max: MAX_NANO_TON }).map(nanoTon)
export const usage = fc.record({ promptTokens: uint32, cachedPromptTokens: uint32, completionTokens: uint32 }, plain)
/** Text of at most that many UTF-16 units. */
export const words = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', maxLength }).filter(text => text.length <= maxLength)
export const code = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,63}$/)
export const address = fc
  .tuple(fc.constantFrom(0, -1), bytes(32))
  .map(([workchain, hash]) => `${workchain}:${Buffer.from(hash).toString('hex')}`)

export const recipient: fc.Arbitrary<Recipient> = fc.record(
  {
    hint: bytes(LIMITS.hintBytes),
    enc: fc
      .constantFrom(...LIMITS.encBytes)
      .chain(length => fc.nat(255).map(byte => new Uint8Array(length).fill(byte))),
    wrappedKey: bytes(LIMITS.wrappedKeyBytes)
  },
  plain
)
export const body: fc.Arbitrary<SealedBody> = fc.oneof(
  fc.record(
    { kind: fc.constant('inline' as const), sealedRequest: fc.uint8Array({ minLength: 1, maxLength: 2048 }) },
    plain
  ),
  fc.record(
    {
      kind: fc.constant('later' as const),
      sizeBytes: fc.integer({ min: 1, max: LIMITS.sealedRequestBytes }),
      digest: bytes(32)
    },
    plain
  )
)
export const terms: fc.Arbitrary<WireChannelTerms> = fc.record(
  {
    globalId: int32,
    payerKey: bytes(32),
    payerAddress: address,
    payeeKey: bytes(32),
    payeeAddress: address,
    salt: uint64,
    challengeSeconds: uint32
  },
  plain
)
export const voucher: fc.Arbitrary<SignedVoucher> = fc.record(
  { channel: address, openedLt: uint64, cumulative: coins.map(encodeAmount), signature: bytes(64) },
  plain
)

/** Checks that a codec carries every valid message through. */
export function carriesThrough<T>(
  messages: fc.Arbitrary<T>,
  encode: (message: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T
): void {
  fc.assert(
    fc.property(messages, message => {
      assert.deepEqual(decode(encode(message)), message)
    })
  )
}

/**
 * Checks that a decoder answers any bytes with a message or one of its two errors: random ones, and valid messages cut
 * off, with bits flipped, or with something put into them. What does come back must be a message that can be sent on.
 */
export function refusesDamage<T>(
  messages: fc.Arbitrary<T>,
  encode: (message: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T
): void {
  const whole = messages.map(encode)
  const cut = fc.tuple(whole, fc.nat()).map(([valid, at]) => valid.subarray(0, at % (valid.byteLength + 1)))
  const flipped = fc.tuple(whole, fc.array(fc.nat(), { minLength: 1, maxLength: 4 })).map(([valid, bits]) => {
    const copy = Uint8Array.from(valid)
    for (const bit of bits) {
      const at = (bit >> 3) % copy.byteLength
      copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7))
    }
    return copy
  })
  const widened = fc
    .tuple(whole, fc.nat(), fc.uint8Array({ maxLength: 20 }))
    .map(
      ([valid, at, more]) =>
        new Uint8Array(
          Buffer.concat([valid.subarray(0, at % valid.byteLength), more, valid.subarray(at % valid.byteLength)])
        )
    )
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), cut, flipped, widened), damaged => {
      let message: T
      try {
        message = decode(damaged)
      } catch (err) {
        assert.ok(err instanceof PeerError, String(err))
        assert.ok(['MESSAGE_MALFORMED', 'MESSAGE_TOO_LARGE'].includes(err.code), err.code)
        return
      }
      // Not the same in every case: text that was no UTF-8 is read as something near it.
      decode(encode(message))
    }),
    { numRuns: 300 }
  )
}

/** Checks that a message one byte over the limit is refused for its size, before anything of it is read. */
export function refusesOversize(limitBytes: number, decode: (bytes: Uint8Array) => unknown): void {
  assert.throws(() => decode(new Uint8Array(limitBytes + 1)), { code: 'MESSAGE_TOO_LARGE', errorClass: 'peer' })
  assert.throws(() => decode(new Uint8Array(limitBytes)), { code: 'MESSAGE_MALFORMED', errorClass: 'peer' })
}

export const MALFORMED = { code: 'MESSAGE_MALFORMED', errorClass: 'peer' } as const
