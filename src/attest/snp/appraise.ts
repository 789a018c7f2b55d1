import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { SnpEndorsement } from './endorsement.ts'
import { expectGuestAccepted, expectProductAccepted, expectTcb, type SnpPolicy } from './policy.ts'
import { PRODUCT_NAMES, productOfCpuid, type SnpProduct } from './product.ts'
import type { SnpReport } from './report.ts'
import { parseTcb, type SnpTcb, tcbReaches, tcbText } from './tcb.ts'

export type SnpTcbs = Readonly<Record<keyof SnpReport['tcbs'], SnpTcb>>

/**
 * Holds a report whose signature held against what AMD certified of its key, then against the policy.
 *
 * @returns its four TCBs
 * @throws {AttestationError} `ATTESTATION_SNP_PRODUCT_MISMATCH`, `ATTESTATION_SNP_RESERVED`,
 *   `ATTESTATION_SNP_TCB_INVALID`, `ATTESTATION_SNP_TCB_MISMATCH`, `ATTESTATION_SNP_CHIP_MISMATCH`,
 *   `ATTESTATION_SNP_TCB_TOO_OLD` and those of {@link expectProductAccepted} and {@link expectGuestAccepted}
 */
export function appraiseSnpReport(
  report: SnpReport,
  product: SnpProduct,
  endorsement: SnpEndorsement,
  policy: SnpPolicy
): SnpTcbs {
  expectCpu(report, product)
  const tcbs = readTcbs(report, product)
  expectEndorsed(report, tcbs.reported, endorsement)
  const minimum = expectProductAccepted(product, policy)
  expectGuestAccepted(report, policy)
  expectTcb('reported', tcbs.reported, minimum)
  // What was weak at launch may have let something in that an update does not drive out.
  expectTcb('launch', tcbs.launch, minimum)
  return tcbs
}

function expectCpu({ cpuid }: SnpReport, product: SnpProduct): void {
  if (cpuid !== undefined && productOfCpuid(cpuid) !== product) {
    throw refusal(
      'PRODUCT_MISMATCH',
      `The report is by a processor of family ${cpuid.family}, model ${cpuid.model}: the chain is for ${PRODUCT_NAMES[product]}`
    )
  }
}

function readTcbs({ tcbs }: SnpReport, product: SnpProduct): SnpTcbs {
  const read = (which: keyof SnpTcbs): SnpTcb => {
    const tcb = parseTcb(tcbs[which], product)
    if (tcb === undefined) {
      throw refusal('RESERVED', `Reserved bytes of the ${which} TCB are set: ${toHex(tcbs[which])}`)
    }
    return tcb
  }
  const [reported, committed, current] = [read('reported'), read('committed'), read('current')]
  // The host may report less than it committed to, never more; it commits to no more than runs (ABI §3.3).
  if (!tcbReaches(committed, reported) || !tcbReaches(current, committed)) {
    throw refusal(
      'TCB_INVALID',
      `The reported TCB is ${tcbText(reported)}, committed ${tcbText(committed)}, current ${tcbText(current)}: expected them to grow`
    )
  }
  return { reported, committed, current, launch: read('launch') }
}

function expectEndorsed(report: SnpReport, reported: SnpTcb, { tcb, chipId }: SnpEndorsement): void {
  if (!tcbReaches(tcb, reported) || !tcbReaches(reported, tcb)) {
    throw refusal('TCB_MISMATCH', `The key is for TCB ${tcbText(tcb)}, the report says ${tcbText(reported)}`)
  }
  if (chipId !== undefined && toHex(chipId) !== toHex(report.chipId)) {
    throw refusal('CHIP_MISMATCH', 'The report names another chip than the certificate of its key')
  }
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_SNP_${cause}`, message)
}
