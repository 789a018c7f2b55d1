import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { GpuReport } from './report.ts'
import type { RimContent } from './rim-content.ts'

/**
 * Compares what a GPU measured with what NVIDIA signed: every index that a manifest says to compare must hold one of its
 * digests. NVIDIA's own verifier leaves index 35 out where a video decoder is off; here nothing is left out.
 *
 * @throws {AttestationError} `ATTESTATION_RIM_VERSION_MISMATCH` if a manifest is for another driver or VBIOS,
 *   `ATTESTATION_RIM_CONFLICT` if both judge one measurement, `ATTESTATION_GPU_MEASUREMENT_MISMATCH`
 */
export function expectMeasurements(
  { fields, measurements }: Pick<GpuReport, 'fields' | 'measurements'>,
  { driver, vbios }: { readonly driver: RimContent; readonly vbios: RimContent }
): void {
  expectVersion('driver', driver, fields.driverVersion)
  expectVersion('VBIOS', vbios, fields.vbiosVersion)
  const both = [...driver.golden.keys()].filter(index => vbios.golden.has(index))
  if (both.length > 0) {
    throw new AttestationError(
      'ATTESTATION_RIM_CONFLICT',
      `The golden measurements of driver and VBIOS both judge ${both.join(', ')}: expected each index in one`
    )
  }
  const wrong = [...driver.golden, ...vbios.golden].filter(([index, digests]) => {
    const measured = measurements[index]
    return measured === undefined || !digests.includes(toHex(measured))
  })
  if (wrong.length > 0) {
    const indexes = wrong.map(([index]) => index).sort((a, b) => a - b)
    throw new AttestationError(
      'ATTESTATION_GPU_MEASUREMENT_MISMATCH',
      `The GPU is not in the state that NVIDIA signed: ${wrong.length} measurements differ, at ${indexes.join(', ')}`
    )
  }
}

function expectVersion(what: string, { version }: RimContent, reported: string): void {
  if (version.toUpperCase() !== reported.toUpperCase()) {
    throw new AttestationError(
      'ATTESTATION_RIM_VERSION_MISMATCH',
      `The golden measurements are for ${what} ${version}, the GPU runs ${reported}`
    )
  }
}
