import assert from 'node:assert/strict'
import { readCollateral } from '../../../../src/attest/tdx/collateral.ts'
import { DEFAULT_TDX_POLICY } from '../../../../src/attest/tdx/policy.ts'
import { TdxVerifier } from '../../../../src/attest/tdx/verifier.ts'
import { verifyTdxQuote } from '../../../../src/attest/tdx/verify.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import { type AttestationCase, attestationCases } from '../../../attest-diff/attestation-cases.ts'
import { runFlips } from '../../../attest-diff/flips.ts'
import { madePlatform } from './made-platform.ts'

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const cases = attestationCases()

function caseOf(name: string): AttestationCase | undefined {
  return cases?.find(known => known.name === name)
}

/** A quote of TDX 1.5 under a root of the test's own. */
function made15(): AttestationCase {
  const { quote, collateral, nowMs } = madePlatform({ version: 5 })
  const pem = collateral.pck_crl_issuer_chain.split('-----END CERTIFICATE-----\n')[1] ?? ''
  const root = new Uint8Array(Buffer.from(pem.replaceAll(/-----.*-----|\n/g, ''), 'base64'))
  return {
    name: 'made',
    kind: 'tdx',
    quote,
    collateral: { ...collateral },
    nowMs,
    root,
    policy: DEFAULT_TDX_POLICY,
    expected: 'UpToDate'
  }
}

describe('evidence with one bit flipped', () => {
  // `npm run attest:diff -- --flips` flips every bit.
  for (const name of ['phala-tdx-v4', 'phala-sgx-v3', 'synthetic baseline']) {
    it(`${name}: is refused, whichever of a sample of every piece`, function () {
      this.timeout(60_000)
      const given = caseOf(name)
      if (given === undefined) {
        this.skip()
      }
      expectNoSurvivor(given)
    })
  }

  it('TDX 1.5, made by the test: is refused, whichever of a sample of every piece', () => expectNoSurvivor(made15()))

  function expectNoSurvivor(given: AttestationCase): void {
    const reports = runFlips(given, { sample: 25, seed: 20_261_122 })
    assert.ok(reports.length >= 15 && reports.every(({ flips }) => flips >= 25))
    assert.deepEqual(
      reports.flatMap(({ surface, survivors }) => survivors.map(bit => `${surface} ${bit}`)),
      []
    )
  }
})

/**
 * What can be changed of a quote without being refused. No single flipped bit is among them; each takes more than that,
 * and none changes what is proven. This is why nothing may be keyed by a whole quote.
 */
const HARMLESS: Record<string, (quote: Buffer) => Buffer> = {
  'zero bytes after it: buffers have a fixed size': quote => Buffer.concat([quote, Buffer.alloc(100)]),
  'the negated s of its signature: ECDSA has two for each message': quote => negateS(quote, 636),
  "the negated s of the quoting enclave's signature": quote => negateS(quote, 636 + 128 + 6 + 384),
  'no zero byte after the PEM text: Intel writes one, Google none': quote => {
    const cut = Buffer.from(quote.subarray(0, -1))
    for (const at of [632, 766, 1254]) {
      cut.writeUInt32LE(cut.readUInt32LE(at) - 1, at)
    }
    return cut
  }
}

describe('a quote that is written in another way', () => {
  const { quote, ...rest } = madePlatform()
  for (const [what, change] of Object.entries(HARMLESS)) {
    it(`is the same quote with ${what}`, () => {
      const other = change(Buffer.from(quote))
      assert.notDeepEqual(other, Buffer.from(quote))
      assert.deepEqual(
        verifyTdxQuote({ ...rest, quote: other }).signedBodyDigest,
        verifyTdxQuote({ ...rest, quote }).signedBodyDigest
      )
    })
  }

  it('does not fill a cache with more than one entry', () => {
    const verifier = new TdxVerifier()
    for (const change of Object.values(HARMLESS)) {
      verifier.verifyTdx({ ...rest, quote: change(Buffer.from(quote)) })
    }
    assert.equal(verifier.rememberedResults, 1)
  })
})

describe('a verifier with a memory', () => {
  const made = madePlatform()
  const fresh = { ...made, collateral: readCollateral({ ...made.collateral }) }

  it('says the same again, faster than it found it', () => {
    const verifier = new TdxVerifier()
    const first = verifier.verifyTdx(made)
    assert.deepEqual(verifier.verifyTdx(made), first)
    assert.deepEqual(verifier.verifyTdx(fresh), first)
    assert.equal(verifier.rememberedResults, 1)
    const startNs = process.hrtime.bigint()
    for (let i = 0; i < 200; i++) {
      verifier.verifyTdx(made)
    }
    const eachMs = Number(process.hrtime.bigint() - startNs) / 200 / 1e6
    assert.ok(eachMs < 1, `${eachMs} ms`)
  })

  it('forgets at the end of validity, and does not reach back before its begin', () => {
    const verifier = new TdxVerifier()
    const { expiresAtMs } = verifier.verifyTdx(made)
    assert.throws(() => verifier.verifyTdx({ ...made, nowMs: expiresAtMs }), {
      code: 'ATTESTATION_COLLATERAL_EXPIRED'
    })
    assert.throws(() => verifier.verifyTdx({ ...made, nowMs: Date.UTC(2026, 0, 2) }), {
      code: 'ATTESTATION_COLLATERAL_NOT_YET_VALID'
    })
    assert.throws(() => verifier.verifyTdx({ ...made, nowMs: Number.NaN }), { code: 'ATTESTATION_INPUT_INVALID' })
  })

  it('judges anew under another policy, root or collateral', () => {
    const verifier = new TdxVerifier()
    verifier.verifyTdx(made)
    const policy = { ...DEFAULT_TDX_POLICY, minTcbEvaluationDataNumber: 18 }
    assert.throws(() => verifier.verifyTdx({ ...made, policy }), { code: 'ATTESTATION_TCB_EVALUATION_TOO_OLD' })
    const { rootSha256: _, ...underIntel } = made
    assert.throws(() => verifier.verifyTdx(underIntel), { code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN' })
    const collateral = { ...made.collateral, tcb_info_signature: '00'.repeat(64) }
    assert.throws(() => verifier.verifyTdx({ ...made, collateral }), {
      code: 'ATTESTATION_COLLATERAL_SIGNATURE_INVALID'
    })
  })

  it('asks again about a quote whose body changed, with collateral that it knows', () => {
    const verifier = new TdxVerifier()
    verifier.verifyTdx(made)
    const quote = Buffer.from(made.quote)
    quote.writeUInt8(quote.readUInt8(600) ^ 1, 600)
    assert.throws(() => verifier.verifyTdx({ ...made, quote }), { code: 'ATTESTATION_QUOTE_SIGNATURE_INVALID' })
  })

  it('forgets what was used longest ago', () => {
    const verifier = new TdxVerifier(2)
    const all = [madePlatform(), madePlatform(), madePlatform()]
    for (const one of all) {
      verifier.verifyTdx(one)
    }
    assert.equal(verifier.rememberedResults, 2)
  })

  it('hands out nothing through which a caller could change what it remembers', () => {
    const verifier = new TdxVerifier()
    const first = verifier.verifyTdx(made)
    const digest = toHex(first.signedBodyDigest)
    first.signedBodyDigest.fill(0)
    first.mrTd.fill(1)
    assert.throws(() => (first.advisoryIds as string[]).push('x'), TypeError)
    const second = verifier.verifyTdx(made)
    assert.equal(toHex(second.signedBodyDigest), digest)
    assert.equal(toHex(second.mrTd), '00'.repeat(48))
  })
})

function negateS(quote: Buffer, signatureAt: number): Buffer {
  const s = BigInt(`0x${quote.subarray(signatureAt + 32, signatureAt + 64).toString('hex')}`)
  quote.write((P256_ORDER - s).toString(16).padStart(64, '0'), signatureAt + 32, 'hex')
  return quote
}
