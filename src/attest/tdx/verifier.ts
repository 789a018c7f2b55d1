import { sha256, toHex } from '../../core/bytes.ts'
import { AttestationError, UsageError } from '../../core/errors.ts'
import { expectTime, type Validity } from '../x509/validity.ts'
import { BoundedCache } from './bounded-cache.ts'
import { collateralDigest, readCollateral, type TdxCollateral } from './collateral.ts'
import { type EnclaveReport, readEnclaveReport } from './enclave-report.ts'
import { DEFAULT_TDX_POLICY, expectTdxPolicy, policyText, type TdxPolicy } from './policy.ts'
import { parseQuote, type Quote } from './quote.ts'
import { INTEL_SGX_ROOT_SHA256 } from './roots.ts'
import { expectStatus, type TcbStatus } from './tcb-status.ts'
import { expectClosedTd } from './td-policy.ts'
import { type TdReport, tdReportOf } from './td-report.ts'
import { type VerifiedCollateral, verifyCollateral } from './verify-collateral.ts'
import { judgePlatform } from './verify-evidence.ts'

const DEFAULT_MAX_ENTRIES = 256

export interface VerifyTdxInput {
  /** As the platform handed it out; zero bytes may follow it. */
  readonly quote: Uint8Array
  /** Of `readCollateral`; another value of its shape is read first. */
  readonly collateral: TdxCollateral
  /** Unix milliseconds to judge everything at. */
  readonly nowMs: number
  /**
   * @default {@link DEFAULT_TDX_POLICY}
   */
  readonly policy?: TdxPolicy
  /**
   * SHA-256 of the root's DER, lower-case hex. For tests with a root of their own.
   *
   * @default Intel's
   */
  readonly rootSha256?: string
}

/** What is known of the platform behind a quote that held. */
export interface VerifiedPlatform {
  /** 6 bytes, lower-case hex. */
  readonly fmspc: string
  readonly tcbStatus: TcbStatus
  readonly advisoryIds: readonly string[]
  /** Of the platform's level, as Intel writes it. */
  readonly tcbDate: string
  readonly tcbEvaluationDataNumber: number
  /** Nothing of this may be relied on from this moment on: the earliest end of all that was judged. */
  readonly expiresAtMs: number
  /** SHA-256 of what the attestation key signed, 32 bytes. Names the quote: its other bytes can be changed by anyone. */
  readonly signedBodyDigest: Uint8Array
}

/** A TD whose quote held. */
export interface VerifiedTdx extends VerifiedPlatform, TdReport {
  readonly quoteVersion: 4 | 5
}

/** An SGX enclave whose quote held. */
export interface VerifiedSgx extends VerifiedPlatform, EnclaveReport {
  readonly quoteVersion: 3
}

interface RememberedResult {
  readonly result: VerifiedPlatform
  readonly validFromMs: number
}

/**
 * Verifies quotes and remembers, within bounds, what it verified: collateral by its text, and results by signed body,
 * collateral, policy and root. A remembered piece counts only while all of it is in force; failures are not remembered.
 */
export class TdxVerifier {
  readonly #collateral: BoundedCache<VerifiedCollateral>
  readonly #results: BoundedCache<RememberedResult>

  /** @param maxEntries - of each kind. @default 256 */
  constructor(maxEntries: number = DEFAULT_MAX_ENTRIES) {
    this.#collateral = new BoundedCache(maxEntries)
    this.#results = new BoundedCache(maxEntries)
  }

  /** How many results it remembers. */
  get rememberedResults(): number {
    return this.#results.size
  }

  /** {@link verifyTdxQuote}, with a memory. */
  verifyTdx(input: VerifyTdxInput): VerifiedTdx {
    expectUsable(input)
    const quote = parseQuote(input.quote)
    const td = tdReportOf(quote)
    if (td === undefined || quote.version === 3) {
      throw new AttestationError(
        'ATTESTATION_QUOTE_NOT_TDX',
        'The quote is of an SGX enclave: expected a TD, the only kind that serves here'
      )
    }
    const judged = this.#judge(quote, input, ({ allowedTdAttributes }) => expectClosedTd(td, allowedTdAttributes))
    const { fmspc, tcbStatus, advisoryIds, tcbDate, tcbEvaluationDataNumber, expiresAtMs, signedBodyDigest } = judged
    // Named one by one: a second spread would take longer than all the rest where the result is remembered.
    return {
      ...td,
      fmspc,
      tcbStatus,
      advisoryIds,
      tcbDate,
      tcbEvaluationDataNumber,
      expiresAtMs,
      signedBodyDigest,
      quoteVersion: quote.version
    }
  }

  /** {@link verifySgxQuote}, with a memory. */
  verifySgx(input: VerifyTdxInput): VerifiedSgx {
    expectUsable(input)
    const quote = parseQuote(input.quote)
    if (quote.version !== 3) {
      throw new AttestationError('ATTESTATION_QUOTE_NOT_SGX', 'The quote is of a TD: expected an SGX enclave')
    }
    const enclave = readEnclaveReport(quote.body.bytes)
    const judged = this.#judge(quote, input, () => expectClosedEnclave(enclave))
    return { ...judged, ...enclave, quoteVersion: quote.version }
  }

  #judge(quote: Quote, input: VerifyTdxInput, expectClosed: (policy: TdxPolicy) => void): VerifiedPlatform {
    const { nowMs, policy = DEFAULT_TDX_POLICY, rootSha256 = INTEL_SGX_ROOT_SHA256 } = input
    const collateral = readCollateral(input.collateral)
    const signedBodyDigest = sha256(quote.signedBytes)
    const collateralKey = `${rootSha256} ${collateralDigest(collateral)}`
    const key = `${toHex(signedBodyDigest)} ${collateralKey} ${policyText(policy)}`
    const remembered = this.#results.get(key)
    if (remembered !== undefined && nowMs >= remembered.validFromMs && nowMs < remembered.result.expiresAtMs) {
      return { ...remembered.result, signedBodyDigest }
    }
    const verified = this.#verifyCollateral(collateralKey, collateral, { rootSha256, nowMs })
    expectEvaluation(verified, policy)
    const { platform, tcb, validity } = judgePlatform(quote, verified, { rootSha256, nowMs })
    expectClosed(policy)
    expectStatus(tcb.status, policy.acceptedTcbStatuses, tcb.advisoryIds)
    expectAdvisories(tcb.advisoryIds, policy)
    const result = {
      fmspc: platform.fmspc,
      tcbStatus: tcb.status,
      advisoryIds: Object.freeze(tcb.advisoryIds),
      tcbDate: tcb.tcbDate,
      tcbEvaluationDataNumber: verified.tcbInfo.tcbEvaluationDataNumber,
      expiresAtMs: validity.notAfterMs + 1,
      signedBodyDigest
    }
    this.#results.set(key, { result, validFromMs: validity.notBeforeMs })
    return result
  }

  #verifyCollateral(
    key: string,
    collateral: TdxCollateral,
    trust: { rootSha256: string; nowMs: number }
  ): VerifiedCollateral {
    const remembered = this.#collateral.get(key)
    if (remembered !== undefined && inForce(remembered.validity, trust.nowMs)) {
      return remembered
    }
    const verified = verifyCollateral(collateral, trust)
    this.#collateral.set(key, verified)
    return verified
  }
}

function expectUsable({
  nowMs,
  policy = DEFAULT_TDX_POLICY,
  rootSha256 = INTEL_SGX_ROOT_SHA256
}: VerifyTdxInput): void {
  expectTime(nowMs)
  expectTdxPolicy(policy)
  if (!/^[0-9a-f]{64}$/.test(rootSha256)) {
    throw new UsageError('ATTESTATION_INPUT_INVALID', 'The digest of the root is not 32 bytes in lower-case hex')
  }
}

function inForce({ notBeforeMs, notAfterMs }: Validity, nowMs: number): boolean {
  return nowMs >= notBeforeMs && nowMs <= notAfterMs
}

function expectEvaluation({ tcbInfo, qeIdentity }: VerifiedCollateral, policy: TdxPolicy): void {
  const evaluation = Math.min(tcbInfo.tcbEvaluationDataNumber, qeIdentity.tcbEvaluationDataNumber)
  if (!(evaluation >= policy.minTcbEvaluationDataNumber)) {
    throw new AttestationError(
      'ATTESTATION_TCB_EVALUATION_TOO_OLD',
      `The collateral is of evaluation ${evaluation}: the policy asks for ${policy.minTcbEvaluationDataNumber}`
    )
  }
}

function expectAdvisories(advisoryIds: readonly string[], { acceptedAdvisories }: TdxPolicy): void {
  const refused = advisoryIds.filter(id => acceptedAdvisories?.includes(id) === false)
  if (refused.length > 0) {
    throw new AttestationError(
      'ATTESTATION_TCB_ADVISORY_REFUSED',
      `Intel's advisories ${refused.join(', ')} stand against the platform, and the policy does not accept them`
    )
  }
}

function expectClosedEnclave({ attributes }: EnclaveReport): void {
  // SGX ATTRIBUTES.FLAGS bit 1.
  if (((attributes[0] ?? 0) & 0x02) !== 0) {
    throw new AttestationError('ATTESTATION_SGX_DEBUG', 'The SGX enclave is in debug mode')
  }
}
