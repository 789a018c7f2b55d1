import { AttestationError, UsageError } from '../../core/errors.ts'
import { expectTime } from '../x509/validity.ts'
import { expectAnswer } from './answer.ts'
import { verifyDeviceChain } from './device-chain.ts'
import { expectMeasurements } from './measurements.ts'
import { GPU_NONCE_BYTES, parseGpuReport } from './report.ts'
import { verifyRim } from './rim.ts'

/** What a verifier asks of a GPU beyond being genuine and in the state that NVIDIA signed golden measurements for. */
export interface GpuPolicy {
  /**
   * Drivers to accept, as `550.90.07`; an empty list refuses all.
   *
   * @default any that NVIDIA signed golden measurements for, and whose signer's certificate is still valid
   */
  readonly driverVersions?: readonly string[]
  /**
   * VBIOSes to accept, as `96.00.9F.00.01`; an empty list refuses all.
   *
   * @default as for drivers
   */
  readonly vbiosVersions?: readonly string[]
}

export interface VerifyNvidiaEvidenceInput {
  /** SPDM's request, response and signature. */
  readonly report: Uint8Array
  /** The device's five certificates, the leaf first. */
  readonly chainPem: string | Uint8Array
  /** The 32 bytes that the report was asked for with. */
  readonly nonce: Uint8Array
  /** Unix milliseconds to judge validity at. */
  readonly nowMs: number
  /** NVIDIA's golden measurements (`.swidtag`) of the driver and the VBIOS that the report names. */
  readonly rims: { readonly driver: Uint8Array; readonly vbios: Uint8Array }
  readonly policy: GpuPolicy
}

/** A genuine H100 or H200 that answered this nonce, in a state that NVIDIA signed. */
export interface VerifiedGpu {
  readonly driverVersion: string
  readonly vbiosVersion: string
  readonly project: string
  readonly projectSku: string
  readonly chipSku: string
  /** 48 bytes each. */
  readonly measurements: readonly Uint8Array[]
  /** How many of them were compared with golden ones; the others say nothing. */
  readonly comparedMeasurements: { readonly driver: number; readonly vbios: number }
  /** Of the certificate that signed, for people. */
  readonly certificateSubject: string
  /** Of the chip's own certificate, for people: the same for every boot of one GPU. */
  readonly chipSubject: string
  /** Digest of the firmware that holds the key, as certified, 48 bytes. */
  readonly firmwareId: Uint8Array
  /** SHA-256 of the files of golden measurements, lower-case hex. */
  readonly rimDigests: { readonly driver: string; readonly vbios: string }
  /** When the first certificate of the device or of the golden measurements ends, Unix milliseconds. */
  readonly expiresAtMs: number
}

/**
 * Decides whether a report is by a genuine NVIDIA GPU (GH100) that answered `nonce` and runs what NVIDIA signed golden
 * measurements for: shape; the device's chain to NVIDIA's pinned root; the signature; nonce and firmware; then the
 * golden measurements with their own signatures. Revocation is not looked up.
 *
 * @throws {AttestationError} `ATTESTATION_GPU_VERSION_REFUSED` and those of {@link parseGpuReport},
 *   {@link verifyDeviceChain}, {@link expectAnswer}, {@link verifyRim} and {@link expectMeasurements}
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` or `nonce` of the caller are not usable
 */
export function verifyNvidiaEvidence(input: VerifyNvidiaEvidenceInput): VerifiedGpu {
  const { nonce, nowMs } = input
  expectTime(nowMs)
  if (nonce.byteLength !== GPU_NONCE_BYTES) {
    throw new UsageError(
      'ATTESTATION_INPUT_INVALID',
      `The nonce has ${nonce.byteLength} bytes: expected ${GPU_NONCE_BYTES}`
    )
  }
  const report = parseGpuReport(input.report)
  const device = verifyDeviceChain(input.chainPem, nowMs)
  expectAnswer(report, device, nonce)
  const { driverVersion, vbiosVersion, project, projectSku, chipSku } = report.fields
  expectVersion('driver', driverVersion, input.policy.driverVersions)
  expectVersion('VBIOS', vbiosVersion, input.policy.vbiosVersions)
  const driver = verifyRim(input.rims.driver, nowMs)
  const vbios = verifyRim(input.rims.vbios, nowMs)
  expectMeasurements(report, { driver, vbios })
  return {
    driverVersion,
    vbiosVersion,
    project,
    projectSku,
    chipSku,
    measurements: report.measurements,
    comparedMeasurements: { driver: driver.golden.size, vbios: vbios.golden.size },
    certificateSubject: device.firmwareKey.subject.text,
    chipSubject: device.chip.subject.text,
    firmwareId: device.firmwareId,
    rimDigests: { driver: driver.digest, vbios: vbios.digest },
    expiresAtMs: Math.min(...[device, driver, vbios].map(({ validity }) => validity.notAfterMs))
  }
}

function expectVersion(what: string, version: string, accepted: readonly string[] | undefined): void {
  if (accepted !== undefined && !accepted.includes(version)) {
    throw new AttestationError(
      'ATTESTATION_GPU_VERSION_REFUSED',
      `The GPU runs the ${what} ${version}, which the policy does not list`
    )
  }
}
