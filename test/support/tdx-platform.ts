import { sign } from 'node:crypto'
import type { TdxMeasured } from '../../src/attest/measured.ts'
import { readCollateral, type TdxCollateral } from '../../src/attest/tdx/collateral.ts'
import { TdxVerifier, type VerifiedTdx, type VerifyTdxInput } from '../../src/attest/tdx/verifier.ts'
import { sha256, toHex } from '../../src/core/bytes.ts'
import { makeCertificates, makeQuote, qeIdentityOf, tcbInfoOf } from '../unit/attest/tdx/made-platform.ts'
import { makeCrl } from '../unit/attest/x509/make-certificate.ts'

/** Where fields lie in the body of a TD report of version 1.0. */
const OFFSET = { tdAttributes: 120, mrTd: 136, mrConfigId: 184, rtmrs: 328, reportData: 520 } as const
const DAY_MS = 24 * 60 * 60_000

/** FMSPC of every platform that is made here, lower-case hex. */
export const TEST_FMSPC = 'aabbccddeeff'

/** What a TD measured; 48 bytes each. */
export interface TestImage {
  readonly mrTd: Uint8Array
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
}

export const TEST_IMAGE: TestImage = {
  mrTd: new Uint8Array(48).fill(0xa1),
  rtmrs: [0xb0, 0xb1, 0xb2, 0xb3].map(byte => new Uint8Array(48).fill(byte)) as unknown as TestImage['rtmrs']
}

export interface TestQuoteInit extends Partial<TestImage> {
  /** 64 bytes. */
  readonly reportData: Uint8Array
  /** 48 bytes. @default zero */
  readonly mrConfigId?: Uint8Array
  /** Sets bit 0 of the TD's attributes. */
  readonly debug?: boolean
}

/** A throw-away TDX platform: everything is signed for real, under a root that no one trusts. */
export interface TestTdxPlatform {
  readonly rootSha256: string
  readonly collateral: TdxCollateral
  quote(init: TestQuoteInit): Uint8Array
  /** A verifier that trusts this platform's root instead of Intel's. */
  verifier(): TdxVerifier
  /** The same platform's collateral, issued at another time. */
  collateralAt(nowMs: number): TdxCollateral
}

/** @param nowMs collateral is issued a day before, and ends 30 days after its issue */
export function testTdxPlatform(nowMs: number): TestTdxPlatform {
  const certificates = makeCertificates({})
  const { root, ca, pck, tcbSigner } = certificates
  const rootSha256 = toHex(sha256(root.der))
  const signedBy = (text: string): string =>
    sign('sha256', Buffer.from(text), { key: tcbSigner.privateKey, dsaEncoding: 'ieee-p1363' }).toString('hex')
  const collateralAt = (atMs: number): TdxCollateral => {
    const dates = { issueDate: isoSeconds(atMs - DAY_MS), nextUpdate: isoSeconds(atMs + 29 * DAY_MS) }
    const tcbInfo = JSON.stringify({ ...tcbInfoOf({}), ...dates })
    const qeIdentity = JSON.stringify({ ...qeIdentityOf({}), ...dates })
    return readCollateral({
      pck_crl_issuer_chain: ca.pem + root.pem,
      root_ca_crl: toHex(makeCrl({ issuer: root })),
      pck_crl: toHex(makeCrl({ issuer: ca })),
      tcb_info_issuer_chain: tcbSigner.pem + root.pem,
      tcb_info: tcbInfo,
      tcb_info_signature: signedBy(tcbInfo),
      qe_identity_issuer_chain: tcbSigner.pem + root.pem,
      qe_identity: qeIdentity,
      qe_identity_signature: signedBy(qeIdentity)
    })
  }
  return {
    rootSha256,
    collateral: collateralAt(nowMs),
    collateralAt,
    verifier: () => new RootedTdxVerifier(rootSha256),
    quote: init => makeQuote({ body: body => writeBody(body, init) }, pck.pem + ca.pem + root.pem, pck.privateKey)
  }
}

/** The image as a policy names it. */
export function measuredImage({ mrTd, rtmrs }: TestImage = TEST_IMAGE): TdxMeasured {
  const [rtmr0, rtmr1, rtmr2, rtmr3] = rtmrs.map(toHex) as [string, string, string, string]
  return { tier: 'tdx', mrTd: toHex(mrTd), rtmr0, rtmr1, rtmr2, rtmr3 }
}

class RootedTdxVerifier extends TdxVerifier {
  readonly #rootSha256: string

  constructor(rootSha256: string) {
    super()
    this.#rootSha256 = rootSha256
  }

  override verifyTdx(input: VerifyTdxInput): VerifiedTdx {
    return super.verifyTdx({ ...input, rootSha256: this.#rootSha256 })
  }
}

function writeBody(body: Buffer, init: TestQuoteInit): void {
  const { mrTd, rtmrs } = { ...TEST_IMAGE, ...init }
  body.set(mrTd, OFFSET.mrTd)
  rtmrs.forEach((rtmr, i) => body.set(rtmr, OFFSET.rtmrs + i * 48))
  body.set(init.mrConfigId ?? [], OFFSET.mrConfigId)
  body.set(init.reportData, OFFSET.reportData)
  if (init.debug === true) {
    body.writeUInt8(body.readUInt8(OFFSET.tdAttributes) | 1, OFFSET.tdAttributes)
  }
}

function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
