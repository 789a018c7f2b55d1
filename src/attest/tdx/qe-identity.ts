import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { integer, object, oneOf } from '../document.ts'
import { anyHex, date, type IsvLevel, isvLevels, readSignedJson } from './collateral-fields.ts'
import type { EnclaveReport } from './enclave-report.ts'

/** Identity of a quoting enclave, version 2 (Intel Provisioning Certification Service API v4), hex in lower case. */
export interface QeIdentity {
  readonly id: 'QE' | 'TD_QE'
  readonly version: 2
  readonly issueDate: number
  readonly nextUpdate: number
  readonly tcbEvaluationDataNumber: number
  readonly miscselect: string
  readonly miscselectMask: string
  readonly attributes: string
  readonly attributesMask: string
  readonly mrsigner: string
  readonly isvprodid: number
  readonly tcbLevels: readonly IsvLevel[]
}

const readQeIdentityValue = object<QeIdentity>({
  id: oneOf(['QE', 'TD_QE']),
  version: oneOf([2]),
  issueDate: date,
  nextUpdate: date,
  tcbEvaluationDataNumber: integer(0, 0xffff_ffff),
  miscselect: anyHex(4),
  miscselectMask: anyHex(4),
  attributes: anyHex(16),
  attributesMask: anyHex(16),
  mrsigner: anyHex(32),
  isvprodid: integer(0, 0xffff),
  tcbLevels: isvLevels
})

/** @throws {AttestationError} `ATTESTATION_COLLATERAL_INVALID` also for a field that is not known */
export function readQeIdentity(json: string): QeIdentity {
  return readSignedJson(json, 'The identity of the quoting enclave', readQeIdentityValue)
}

/**
 * The level of the quoting enclave with this report: the first, hence highest, that it reaches.
 *
 * @throws {AttestationError} `ATTESTATION_QE_IDENTITY_MISMATCH`, `ATTESTATION_TCB_LEVEL_UNKNOWN`
 */
export function matchQe(identity: QeIdentity, report: EnclaveReport): IsvLevel {
  const expected = {
    miscselect: [masked(report.miscSelect, identity.miscselectMask), identity.miscselect],
    attributes: [masked(report.attributes, identity.attributesMask), identity.attributes],
    mrsigner: [toHex(report.mrSigner), identity.mrsigner],
    isvprodid: [String(report.isvProdId), String(identity.isvprodid)]
  }
  for (const [name, [is, want]] of Object.entries(expected)) {
    if (is !== want) {
      throw new AttestationError(
        'ATTESTATION_QE_IDENTITY_MISMATCH',
        `The quoting enclave has the ${name} ${is}: Intel's has ${want}`
      )
    }
  }
  return matchIsvLevel(identity.tcbLevels, report.isvSvn, 'The quoting enclave')
}

/** @throws {AttestationError} `ATTESTATION_TCB_LEVEL_UNKNOWN` if it reaches none */
export function matchIsvLevel(levels: readonly IsvLevel[], isvSvn: number, what: string): IsvLevel {
  const level = levels.find(({ tcb }) => isvSvn >= tcb.isvsvn)
  if (level === undefined) {
    throw new AttestationError(
      'ATTESTATION_TCB_LEVEL_UNKNOWN',
      `${what} has the security version ${isvSvn}, which is below every level that Intel lists`
    )
  }
  return level
}

/** Lower-case hex of `bytes` where the mask, of the same size, has ones. */
export function masked(bytes: Uint8Array, mask: string): string {
  const maskBytes = Buffer.from(mask, 'hex')
  return toHex(bytes.map((byte, i) => byte & (maskBytes[i] ?? 0)))
}
