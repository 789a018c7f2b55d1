import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { isZero } from './byte-reader.ts'
import type { TdReport } from './td-report.ts'

/** Attributes of a TD besides DEBUG and SEPT_VE_DISABLE, by bit (Intel TDX Module ABI, TD_ATTRIBUTES). */
const OPTIONAL_ATTRIBUTES = { lass: 27n, migratable: 29n, pks: 30n, keyLocker: 31n, perfmon: 63n } as const

/** An attribute that a policy may allow. */
export type TdAttribute = keyof typeof OPTIONAL_ATTRIBUTES

const DEBUG = 1n << 0n
const SEPT_VE_DISABLE = 1n << 28n
/** Bits 0 to 7: any of them set, the TD is open to whoever runs the machine. */
const UNTRUSTED = 0xffn

/** Extended features that a TD may use: x87, SSE, AVX, AVX-512, PT, PKRU, CET, ULI, LBR, AMX. */
const XFAM_KNOWN = 0x6_dbe7n

/**
 * Refuses a TD that is not closed: a module that is not Intel's production one, debug, attributes that are unknown or that
 * the policy does not allow, a service TD that may act on it.
 *
 * @param allowed - attributes that may be set besides SEPT_VE_DISABLE
 * @throws {AttestationError} `ATTESTATION_TDX_SEAM_SIGNER_UNKNOWN`, `ATTESTATION_TDX_SEAM_ATTRIBUTES_UNKNOWN`,
 *   `ATTESTATION_TDX_DEBUG`, `ATTESTATION_TDX_ATTRIBUTES_UNKNOWN`, `ATTESTATION_TDX_SEPT_VE_ENABLED`,
 *   `ATTESTATION_TDX_ATTRIBUTE_REFUSED`, `ATTESTATION_TDX_XFAM_UNKNOWN`, `ATTESTATION_TDX_SERVICE_TD`
 */
export function expectClosedTd(td: TdReport, allowed: readonly TdAttribute[]): void {
  if (!isZero(td.mrSignerSeam)) {
    throw refusal('SEAM_SIGNER_UNKNOWN', `The TDX module is signed by ${toHex(td.mrSignerSeam)}: expected Intel (zero)`)
  }
  if (!isZero(td.seamAttributes)) {
    throw refusal('SEAM_ATTRIBUTES_UNKNOWN', `The TDX module has the attributes ${toHex(td.seamAttributes)}`)
  }
  expectAttributes(readUint64(td.tdAttributes), allowed)
  const xfam = readUint64(td.xfam)
  if ((xfam & ~XFAM_KNOWN) !== 0n) {
    throw refusal('XFAM_UNKNOWN', `The TD has the extended features 0x${xfam.toString(16)}, not all of them known`)
  }
  if (td.mrServiceTd !== undefined && !isZero(td.mrServiceTd)) {
    throw refusal('SERVICE_TD', `The service TD ${toHex(td.mrServiceTd)} may act on the TD, and nobody vouches for it`)
  }
}

function expectAttributes(attributes: bigint, allowed: readonly TdAttribute[]): void {
  const shown = `0x${attributes.toString(16)}`
  if ((attributes & DEBUG) !== 0n) {
    throw refusal('DEBUG', 'The TD is in debug mode: the owner of the machine can read everything')
  }
  const optional = Object.entries(OPTIONAL_ATTRIBUTES).map(([name, bit]) => ({ name, mask: 1n << bit }))
  const known = optional.reduce((mask, attribute) => mask | attribute.mask, SEPT_VE_DISABLE)
  if ((attributes & (~known | UNTRUSTED)) !== 0n) {
    throw refusal('ATTRIBUTES_UNKNOWN', `The TD has the attributes ${shown}, not all of them known`)
  }
  if ((attributes & SEPT_VE_DISABLE) === 0n) {
    throw refusal('SEPT_VE_ENABLED', 'The TD does not set SEPT_VE_DISABLE: the host can make its pages fault')
  }
  const names: readonly string[] = allowed
  const refused = optional.filter(({ name, mask }) => (attributes & mask) !== 0n && !names.includes(name))
  if (refused.length > 0) {
    const list = refused.map(({ name }) => name).join(', ')
    throw refusal('ATTRIBUTE_REFUSED', `The TD has the attributes ${list}, which the policy does not allow`)
  }
}

function readUint64(bytes: Uint8Array): bigint {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readBigUInt64LE()
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_TDX_${cause}`, message)
}
