import { AttestationError } from '../../core/errors.ts'
import { parseGuestPolicy, type SnpGuestPolicy } from './guest-policy.ts'
import { parsePlatformInfo, type SnpPlatformFlag } from './platform-info.ts'
import type { SnpCpuid } from './product.ts'

/** Bytes of an attestation report, every version. */
export const SNP_REPORT_BYTES = 0x4a0
/** The signature covers what lies before this offset. */
export const SNP_SIGNED_BYTES = 0x2a0

const VERSIONS: readonly number[] = [2, 3, 4, 5]
const ECDSA_P384_SHA384 = 1
const SIGNERS = ['vcek', 'vlek'] as const
const NO_SIGNER = 7

/** Which key signed: of the chip (VCEK), or of the cloud that rents it out (VLEK). */
export type SnpSigner = (typeof SIGNERS)[number]

/** An attestation report as it stands, before its signature is checked (SEV-SNP Firmware ABI, table ATTESTATION_REPORT). */
export interface SnpReport {
  readonly version: number
  readonly guestSvn: number
  readonly policy: SnpGuestPolicy
  /** 16 bytes. */
  readonly familyId: Uint8Array
  /** 16 bytes. */
  readonly imageId: Uint8Array
  /** Privilege level of whoever asked inside the guest, 0 the highest; 0xffffffff if the host asked. */
  readonly vmpl: number
  readonly platform: ReadonlySet<SnpPlatformFlag>
  readonly signer: SnpSigner
  /** 64 bytes. */
  readonly reportData: Uint8Array
  /** 48 bytes. */
  readonly measurement: Uint8Array
  /** 32 bytes. */
  readonly hostData: Uint8Array
  /** 48 bytes, zero without an ID block. */
  readonly idKeyDigest: Uint8Array
  /** 48 bytes, zero unless an author key signed the ID key. */
  readonly authorKeyDigest: Uint8Array
  /** 32 bytes. */
  readonly reportId: Uint8Array
  readonly hasMigrationAgent: boolean
  /** Version 3 and later. */
  readonly cpuid: SnpCpuid | undefined
  /** 64 bytes, zero if the host masks it; Turin uses the first 8. */
  readonly chipId: Uint8Array
  /** The four TCB_VERSIONs, 8 bytes each: their layout depends on the product. */
  readonly tcbs: {
    readonly current: Uint8Array
    readonly reported: Uint8Array
    readonly committed: Uint8Array
    readonly launch: Uint8Array
  }
  /** ECDSA over P-384, `r ‖ s` big-endian, 96 bytes. */
  readonly signature: Uint8Array
  /** What was signed, 0x2a0 bytes. */
  readonly signedBody: Uint8Array
}

/**
 * Takes a report apart; every reserved byte must be zero.
 *
 * @throws {AttestationError} `ATTESTATION_SNP_SIZE`, `ATTESTATION_SNP_VERSION`, `ATTESTATION_SNP_RESERVED`,
 *   `ATTESTATION_SNP_ALGORITHM`, `ATTESTATION_SNP_SIGNER`, `ATTESTATION_SNP_POLICY_INVALID`,
 *   `ATTESTATION_SNP_PLATFORM_UNKNOWN`
 */
export function parseSnpReport(input: Uint8Array): SnpReport {
  if (input.byteLength !== SNP_REPORT_BYTES) {
    throw refusal('SIZE', `The report has ${input.byteLength} bytes: expected ${SNP_REPORT_BYTES}`)
  }
  // A copy: what is returned must not change with the caller's buffer.
  const bytes = Uint8Array.from(input)
  const view = new DataView(bytes.buffer)
  const slice = (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length)
  const version = view.getUint32(0, true)
  if (!VERSIONS.includes(version)) {
    throw refusal('VERSION', `The report has version ${version}: expected one of ${VERSIONS.join(', ')}`)
  }
  const algorithm = view.getUint32(0x34, true)
  if (algorithm !== ECDSA_P384_SHA384) {
    throw refusal('ALGORITHM', `The report is signed with algorithm ${algorithm}: expected ${ECDSA_P384_SHA384}`)
  }
  for (const [offset, length] of reservedRanges(version)) {
    expectZero(slice(offset, length), offset)
  }
  const keyInfo = view.getUint32(0x48, true)
  const signer = parseSigner(keyInfo)
  const authorKeyDigest = slice(0x110, 48)
  if ((keyInfo & 1) === 0) {
    expectZero(authorKeyDigest, 0x110)
  }
  return {
    version,
    guestSvn: view.getUint32(4, true),
    policy: parseGuestPolicy(view.getBigUint64(8, true)),
    familyId: slice(0x10, 16),
    imageId: slice(0x20, 16),
    vmpl: view.getUint32(0x30, true),
    platform: parsePlatformInfo(view.getBigUint64(0x40, true)),
    signer,
    reportData: slice(0x50, 64),
    measurement: slice(0x90, 48),
    hostData: slice(0xc0, 32),
    idKeyDigest: slice(0xe0, 48),
    authorKeyDigest,
    reportId: slice(0x140, 32),
    hasMigrationAgent: !isFilled(slice(0x160, 32)),
    cpuid:
      version < 3
        ? undefined
        : { family: view.getUint8(0x188), model: view.getUint8(0x189), stepping: view.getUint8(0x18a) },
    chipId: slice(0x1a0, 64),
    tcbs: {
      current: slice(0x38, 8),
      reported: slice(0x180, 8),
      committed: slice(0x1e0, 8),
      launch: slice(0x1f0, 8)
    },
    signature: Buffer.concat([bigEndian(slice(0x2a0, 48)), bigEndian(slice(0x2e8, 48))]),
    signedBody: slice(0, SNP_SIGNED_BYTES)
  }
}

/** Offset and length of what must be zero. */
function reservedRanges(version: number): ReadonlyArray<readonly [number, number]> {
  return [
    [0x4c, 4],
    // CPUID family, model and stepping since version 3.
    version < 3 ? [0x188, 24] : [0x18b, 21],
    [0x1eb, 1],
    [0x1ef, 1],
    // The mitigation vectors at launch and now: specified for version 5, already filled by firmware that writes 4.
    version < 4 ? [0x1f8, 168] : [0x208, 152],
    // r and s are 72 bytes, of which a P-384 signature uses 48.
    [0x2a0 + 48, 24],
    [0x2e8 + 48, 24],
    [0x330, 368]
  ]
}

function parseSigner(keyInfo: number): SnpSigner {
  if (keyInfo >>> 5 !== 0) {
    throw refusal('RESERVED', `Reserved bits of the key information are set: 0x${keyInfo.toString(16)}`)
  }
  const number = (keyInfo >>> 2) & 7
  if ((keyInfo & 2) !== 0 || number === NO_SIGNER) {
    throw refusal('SIGNER', 'The host keeps the chip from signing reports: nothing can be proven')
  }
  const signer = SIGNERS[number]
  if (signer === undefined) {
    throw refusal('SIGNER', `The report says that key ${number} signed it: expected 0 (VCEK) or 1 (VLEK)`)
  }
  return signer
}

function expectZero(bytes: Uint8Array, offset: number): void {
  if (bytes.some(byte => byte !== 0)) {
    throw refusal('RESERVED', `Reserved bytes of the report from 0x${offset.toString(16)} on are set`)
  }
}

// REPORT_ID_MA is all ones without a migration agent; zero in firmware that does not know them.
function isFilled(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte === 0xff) || bytes.every(byte => byte === 0)
}

function bigEndian(littleEndian: Uint8Array): Uint8Array {
  return Uint8Array.from(littleEndian).reverse()
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_SNP_${cause}`, message)
}
