import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import {
  decodeStatement,
  encodeStatement,
  type Statement,
  statementCosignMessage,
  statementDigest,
  TIERS
} from '../../../src/attest/index.ts'
import { AttestationError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { STATEMENT } from './fixtures.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const hexOf = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(value => Buffer.from(value).toString('hex'))

const plain = { noNullPrototype: true }
const statements: fc.Arbitrary<Statement> = fc.record(
  {
    version: fc.constant(1),
    tier: fc.constantFrom(...TIERS),
    hpkeKey: hexOf(32),
    receiptKey: hexOf(32),
    peerId: fc.stringMatching(/^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/),
    modelDigests: fc.array(hexOf(32), { maxLength: LIMITS.models }),
    configDigest: hexOf(32),
    software: fc.record({ version: fc.stringMatching(/^\d{1,3}\.\d{1,3}\.\d{1,3}$/), bundleDigest: hexOf(32) }, plain),
    bootId: hexOf(16),
    notBeforeMs: fc.maxSafeNat(),
    notAfterMs: fc.maxSafeNat(),
    beacon: fc.record({ globalId: fc.integer(), height: fc.nat(0xffff_ffff), hash: hexOf(32) }, plain)
  },
  plain
)

describe('statement', () => {
  it('has these bytes and this digest', () => {
    const bytes = encodeStatement(STATEMENT)
    assert.equal(Buffer.from(bytes).toString(), GOLDEN)
    assert.equal(Buffer.from(statementDigest(bytes)).toString('hex'), GOLDEN_DIGEST)
    assert.equal(createHash('sha256').update(GOLDEN).digest('hex'), GOLDEN_DIGEST)
    assert.equal(Buffer.from(statementCosignMessage(bytes)).toString(), `cocoon/statement/v1${GOLDEN}`)
  })

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(statements, statement => assert.deepEqual(decodeStatement(encodeStatement(statement)), statement))
    )
  })

  it('has one encoding only', () => {
    const other = [
      ` ${GOLDEN}`,
      `${GOLDEN}\n`,
      GOLDEN.replace('"version":1', '"version":1.0'),
      GOLDEN.replace('"height":1000', '"height":1e3'),
      GOLDEN.replace('"tier":', '"\\u0074ier":'),
      GOLDEN.replace('"tier":"simulated"', '"tier":"tdx","tier":"simulated"'),
      JSON.stringify(STATEMENT)
    ]
    for (const text of other) {
      assert.throws(() => decodeStatement(utf8(text)), { code: 'ATTESTATION_STATEMENT_NOT_CANONICAL' }, text)
    }
  })

  it('refuses fields that are missing, unknown, of another type or out of range', () => {
    const changes: object[] = [
      { version: 2 },
      { tier: 'sgx' },
      { hpkeKey: '11'.repeat(31) },
      { hpkeKey: 'AA'.repeat(32) },
      { receiptKey: 7 },
      { receiptKey: undefined },
      { peerId: 'not a peer' },
      { modelDigests: 'aa' },
      { modelDigests: Array.from({ length: 17 }, () => 'aa'.repeat(32)) },
      { configDigest: null },
      { software: { version: '0.1.0' } },
      { software: { version: '', bundleDigest: 'cc'.repeat(32) } },
      { software: { version: '0.1.0', bundleDigest: 'cc'.repeat(32), extra: 1 } },
      { bootId: 'dd'.repeat(17) },
      { notBeforeMs: -1 },
      { notAfterMs: '1' },
      { beacon: { globalId: 2 ** 31, height: 1, hash: 'ee'.repeat(32) } },
      { beacon: { globalId: -3, height: 2 ** 32, hash: 'ee'.repeat(32) } },
      { beacon: [] },
      { prompt: 'x' }
    ]
    for (const change of changes) {
      const text = JSON.stringify({ ...STATEMENT, ...change })
      assert.throws(() => decodeStatement(utf8(text)), { code: 'ATTESTATION_STATEMENT_INVALID' }, text)
    }
    const proto = GOLDEN.replace('{', '{"__proto__":{},')
    assert.throws(() => decodeStatement(utf8(proto)), { code: 'ATTESTATION_STATEMENT_INVALID' })
  })

  it('refuses to write what it would refuse to read', () => {
    assert.throws(() => encodeStatement({ ...STATEMENT, bootId: 'dd' }), { code: 'ATTESTATION_STATEMENT_INVALID' })
  })

  it('refuses what is too large before it reads it', () => {
    const bytes = utf8(`${GOLDEN}${' '.repeat(LIMITS.statementBytes)}`)
    assert.throws(() => decodeStatement(bytes), { code: 'ATTESTATION_STATEMENT_TOO_LARGE' })
  })

  it('answers any bytes with a statement or a coded refusal', () => {
    const golden = utf8(GOLDEN)
    const mangled = fc.tuple(fc.nat(golden.byteLength - 1), fc.nat(255)).map(([at, byte]) => golden.with(at, byte))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mangled, fc.json().map(utf8)), bytes => {
        try {
          assert.deepEqual(encodeStatement(decodeStatement(bytes)), Uint8Array.from(bytes))
        } catch (err) {
          assert.ok(err instanceof AttestationError, String(err))
        }
      }),
      { numRuns: 500 }
    )
  })
})

const GOLDEN =
  `{"beacon":{"globalId":-3,"hash":"${'ee'.repeat(32)}","height":1000},"bootId":"${'dd'.repeat(16)}",` +
  `"configDigest":"${'bb'.repeat(32)}","hpkeKey":"${'11'.repeat(32)}",` +
  `"modelDigests":["${'aa'.repeat(32)}","${'ab'.repeat(32)}"],"notAfterMs":1795003600000,"notBeforeMs":1794999940000,` +
  '"peerId":"12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",' +
  '"receiptKey":"a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0",' +
  `"software":{"bundleDigest":"${'cc'.repeat(32)}","version":"0.1.0"},"tier":"simulated","version":1}`
const GOLDEN_DIGEST = '8106caf3baab042067176eb9699efac67dec66428347df14e86731e3a9632ded'
