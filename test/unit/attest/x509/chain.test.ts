import assert from 'node:assert/strict'
import { parseCertificate } from '../../../../src/attest/x509/certificate.ts'
import { verifyChain } from '../../../../src/attest/x509/chain.ts'
import { sha256, toHex } from '../../../../src/core/bytes.ts'
import { bool, der, int, oid, seq, time } from './der-writer.ts'
import {
  type CertificateInit,
  MADE_FROM_MS,
  MADE_UNTIL_MS,
  type MadeCertificate,
  makeCertificate
} from './make-certificate.ts'

const NOW_MS = Date.UTC(2026, 5, 1)

interface Change {
  root?: Partial<CertificateInit>
  middle?: Partial<CertificateInit>
  leaf?: Partial<CertificateInit>
}

function chainOf({ root: rootInit, middle: middleInit, leaf: leafInit }: Change = {}): MadeCertificate[] {
  const root = makeCertificate({ subject: 'root', ca: true, pathLength: 1, keyUsage: [5, 6], ...rootInit })
  const middle = makeCertificate({
    subject: 'middle',
    issuer: root,
    ca: true,
    pathLength: 0,
    keyUsage: [5],
    ...middleInit
  })
  return [makeCertificate({ subject: 'leaf', issuer: middle, keyUsage: [0], ...leafInit }), middle, root]
}

function judge(made: readonly MadeCertificate[], nowMs = NOW_MS): ReturnType<typeof verifyChain> {
  const rootSha256 = [toHex(sha256(made.at(-1)?.der ?? ''))]
  return verifyChain({ chain: made.map(({ parsed }) => parsed()), rootSha256, nowMs })
}

function refused(code: string): { code: string } {
  return { code: `ATTESTATION_CERTIFICATE_${code}` }
}

describe('certificate chains', () => {
  it('hold up to a pinned root, for as long as the shortest certificate', () => {
    const untilMs = MADE_UNTIL_MS - 86_400_000
    assert.deepEqual(judge(chainOf({ middle: { untilMs } })), { notBeforeMs: MADE_FROM_MS, notAfterMs: untilMs })
    assert.ok(judge([makeCertificate({ subject: 'alone', ca: true })]))
  })

  describe('are refused with', () => {
    const other = makeCertificate({ subject: 'middle', ca: true })
    const noCa = { ca: false } as const
    const cases: Record<string, [string, () => unknown]> = {
      'another root': [
        'ROOT_UNKNOWN',
        () => verifyChain({ chain: chainOf().map(c => c.parsed()), rootSha256: [toHex(sha256('x'))], nowMs: NOW_MS })
      ],
      'no root that is trusted': [
        'ROOT_UNKNOWN',
        () => verifyChain({ chain: chainOf().map(c => c.parsed()), rootSha256: [], nowMs: NOW_MS })
      ],
      'no certificate': ['CHAIN_INVALID', () => verifyChain({ chain: [], rootSha256: [], nowMs: NOW_MS })],
      'nine certificates': ['CHAIN_INVALID', () => judge(Array.from({ length: 9 }, () => other))],
      'a middle that is no CA': [
        'NOT_CA',
        () => {
          const [, , root] = chainOf()
          const middle = makeCertificate({ subject: 'middle', ...(root && { issuer: root }), ...noCa })
          return judge([makeCertificate({ subject: 'leaf', issuer: middle }), middle, root ?? middle])
        }
      ],
      'a middle whose key may not sign certificates': [
        'NOT_CA',
        () => judge(chainOf({ middle: { keyUsage: [0, 6] } }))
      ],
      'a root that is no CA': [
        'NOT_CA',
        () => {
          const root = makeCertificate({ subject: 'root' })
          return judge([makeCertificate({ subject: 'leaf', issuer: root }), root])
        }
      ],
      'more below a root than it allows': ['PATH_TOO_LONG', () => judge(chainOf({ root: { pathLength: 0 } }))],
      'a leaf that names another issuer': ['ISSUER_MISMATCH', () => judge(chainOf({ leaf: { issuerName: 'Middle' } }))],
      'a leaf signed by another of the same name': [
        'SIGNATURE_INVALID',
        () => judge(chainOf({ leaf: { issuer: other } }))
      ],
      'a root that did not sign itself': [
        'SIGNATURE_INVALID',
        () => judge([makeCertificate({ subject: 'middle', issuer: other, ca: true })])
      ],
      'a leaf that ended': ['EXPIRED', () => judge(chainOf({ leaf: { untilMs: NOW_MS - 1000 } }))],
      'a root that ended': ['EXPIRED', () => judge(chainOf({ root: { untilMs: NOW_MS - 1000 } }))],
      'a middle that has not begun': ['NOT_YET_VALID', () => judge(chainOf({ middle: { fromMs: NOW_MS + 1000 } }))],
      'a critical extension nobody knows': [
        'EXTENSION_UNKNOWN',
        () => judge(chainOf({ leaf: { extensions: [{ oid: '2.5.29.37', critical: true, value: seq() }] } }))
      ]
    }
    for (const [what, [code, attempt]] of Object.entries(cases)) {
      it(`${code}: ${what}`, () => assert.throws(attempt, refused(code)))
    }

    for (const nowMs of [Number.NaN, Number.POSITIVE_INFINITY, 0, -1, 1.5]) {
      it(`the time ${nowMs}`, () => assert.throws(() => judge(chainOf(), nowMs), { code: 'ATTESTATION_INPUT_INVALID' }))
    }
  })

  it('pass with a critical extension that the caller judges', () => {
    const made = chainOf({ leaf: { extensions: [{ oid: '2.5.29.37', critical: true, value: seq() }] } })
    const rootSha256 = [toHex(sha256(made[2]?.der ?? ''))]
    const chain = made.map(c => c.parsed())
    assert.ok(verifyChain({ chain, rootSha256, nowMs: NOW_MS, understoodExtensions: ['2.5.29.37'] }))
  })

  it('are valid from their first moment to their last', () => {
    assert.ok(judge(chainOf(), MADE_FROM_MS))
    assert.ok(judge(chainOf(), MADE_UNTIL_MS))
    assert.throws(() => judge(chainOf(), MADE_FROM_MS - 1), refused('NOT_YET_VALID'))
    assert.throws(() => judge(chainOf(), MADE_UNTIL_MS + 1), refused('EXPIRED'))
  })
})

describe('a certificate', () => {
  const swap =
    (index: number, field: Uint8Array) =>
    (fields: Uint8Array[]): Uint8Array[] =>
      fields.with(index, field)

  describe('is refused with', () => {
    const cases: Record<string, [string, Partial<CertificateInit>]> = {
      'no version': ['UNSUPPORTED', { fields: fields => fields.slice(1) }],
      'version 2': ['UNSUPPORTED', { fields: swap(0, der(0xa0, int(1))) }],
      'a negative serial number': ['INVALID', { fields: swap(1, Uint8Array.from([2, 1, 0x80])) }],
      'a serial number of 22 bytes': ['INVALID', { fields: swap(1, der(2, new Uint8Array(22).fill(1))) }],
      'two signature algorithms': ['INVALID', { outerAlgorithm: seq(oid('1.2.840.10045.4.3.3')) }],
      'RSA with SHA-1': [
        'UNSUPPORTED',
        {
          fields: swap(2, seq(oid('1.2.840.113549.1.1.5'), der(5))),
          outerAlgorithm: seq(oid('1.2.840.113549.1.1.5'), der(5))
        }
      ],
      'an Ed25519 key': [
        'UNSUPPORTED',
        { fields: swap(6, seq(seq(oid('1.3.101.112')), der(3, [0], new Uint8Array(32)))) }
      ],
      'a key that is not on its curve': [
        'INVALID',
        {
          fields: fields => {
            const key = Uint8Array.from(fields[6] ?? [])
            key.set([(key.at(-1) ?? 0) ^ 1], key.length - 1)
            return fields.with(6, key)
          }
        }
      ],
      'one time': ['INVALID', { fields: swap(4, seq(time(MADE_FROM_MS))) }],
      'an extension twice': [
        'INVALID',
        {
          extensions: [
            { oid: '2.5.29.14', value: seq() },
            { oid: '2.5.29.14', value: seq() }
          ]
        }
      ],
      'a field after the extensions': ['INVALID', { fields: fields => [...fields, int(1)] }],
      'a path length without being a CA': [
        'INVALID',
        { fields: swap(7, der(0xa3, seq(seq(oid('2.5.29.19'), bool(true), der(4, seq(int(0))))))) }
      ],
      'a default written out': [
        'INVALID',
        { fields: swap(7, der(0xa3, seq(seq(oid('2.5.29.19'), bool(true), der(4, seq(bool(false))))))) }
      ],
      'an extension said not to be critical': [
        'INVALID',
        { fields: swap(7, der(0xa3, seq(seq(oid('2.5.29.19'), bool(false), der(4, seq()))))) }
      ]
    }
    for (const [what, [code, init]] of Object.entries(cases)) {
      it(`${code}: ${what}`, () =>
        assert.throws(() => makeCertificate({ subject: 'it', ...init }).parsed(), refused(code)))
    }

    it('TOO_LARGE: 8,193 bytes', () =>
      assert.throws(() => parseCertificate(new Uint8Array(8193)), refused('TOO_LARGE')))

    it('INVALID: a byte after its end', () => {
      const { der: bytes } = makeCertificate({ subject: 'it' })
      assert.throws(() => parseCertificate(Uint8Array.from([...bytes, 0])), refused('INVALID'))
    })
  })
})
