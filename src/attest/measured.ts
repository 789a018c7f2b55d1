import { toHex } from '../core/bytes.ts'
import { AttestationError } from '../core/errors.ts'

const ZERO_48 = '00'.repeat(48)

/** What a TD measured of itself, 48 bytes each, lower-case hex. */
export interface TdxMeasured {
  readonly tier: 'tdx'
  /** The initial memory: the virtual firmware. */
  readonly mrTd: string
  /** The firmware's settings and tables. */
  readonly rtmr0: string
  /** The boot loader and the kernel. */
  readonly rtmr1: string
  /** The kernel's command line and the initial file system. */
  readonly rtmr2: string
  /** What software added later; zero if nothing did. */
  readonly rtmr3: string
}

/** What was loaded into an SEV-SNP guest at its launch, 48 bytes, lower-case hex. */
export interface SnpMeasured {
  readonly tier: 'snp'
  readonly measurement: string
}

export type Measured = TdxMeasured | SnpMeasured

/** A guest image that a client accepts: what it measures as, and which enclave program is in it. */
export type AcceptedImage = Measured & {
  /** For people. */
  readonly name: string
  /** SHA-256 of the enclave program's files in the image, lower-case hex. */
  readonly bundleDigest: string
}

/** The registers of a TD as hex; refuses fields of the TD that its owner could have filled with settings. */
export function measuredTd(td: {
  readonly mrTd: Uint8Array
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  readonly mrConfigId: Uint8Array
  readonly mrOwner: Uint8Array
  readonly mrOwnerConfig: Uint8Array
}): TdxMeasured {
  const owned = [td.mrConfigId, td.mrOwner, td.mrOwnerConfig]
  if (owned.some(field => toHex(field) !== ZERO_48)) {
    throw new AttestationError(
      'ATTESTATION_TD_CONFIG_UNKNOWN',
      'The TD was started with settings of its owner (MRCONFIGID, MROWNER or MROWNERCONFIG), which no image here has'
    )
  }
  const [rtmr0, rtmr1, rtmr2, rtmr3] = td.rtmrs
  return {
    tier: 'tdx',
    mrTd: toHex(td.mrTd),
    rtmr0: toHex(rtmr0),
    rtmr1: toHex(rtmr1),
    rtmr2: toHex(rtmr2),
    rtmr3: toHex(rtmr3)
  }
}

/**
 * Finds the image that was measured, and holds the statement's software against it.
 *
 * @throws {AttestationError} `ATTESTATION_MEASUREMENT_REFUSED` if the list has no such image (an empty one has none),
 *   `ATTESTATION_MEASUREMENT_MISMATCH` if the image holds another program than the statement names
 */
export function expectImage(images: readonly AcceptedImage[], measured: Measured, bundleDigest: string): AcceptedImage {
  const found = images.filter(image => sameMeasured(image, measured))
  if (found.length === 0) {
    const first = measured.tier === 'tdx' ? measured.mrTd : measured.measurement
    throw new AttestationError(
      'ATTESTATION_MEASUREMENT_REFUSED',
      images.length === 0
        ? 'The policy lists no guest image: it accepts none'
        : `The guest is measured as ${first.slice(0, 16)}…, which no image of the policy is`
    )
  }
  const image = found.find(candidate => candidate.bundleDigest === bundleDigest)
  if (image === undefined) {
    throw new AttestationError(
      'ATTESTATION_MEASUREMENT_MISMATCH',
      `The guest is the image ${JSON.stringify(found[0]?.name)}, which does not hold the program the statement names`
    )
  }
  return image
}

function sameMeasured(image: AcceptedImage, measured: Measured): boolean {
  if (image.tier === 'tdx' && measured.tier === 'tdx') {
    const { mrTd, rtmr0, rtmr1, rtmr2, rtmr3 } = measured
    return (
      image.mrTd === mrTd &&
      image.rtmr0 === rtmr0 &&
      image.rtmr1 === rtmr1 &&
      image.rtmr2 === rtmr2 &&
      image.rtmr3 === rtmr3
    )
  }
  return image.tier === 'snp' && measured.tier === 'snp' && image.measurement === measured.measurement
}
