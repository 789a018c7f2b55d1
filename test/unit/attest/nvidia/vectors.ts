import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { verifyDeviceChain } from '../../../../src/attest/nvidia/device-chain.ts'
import { verifyRim } from '../../../../src/attest/nvidia/rim.ts'
import { type VerifyNvidiaEvidenceInput, verifyNvidiaEvidence } from '../../../../src/attest/nvidia/verify.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { type BitChoice, type FlipResult, flipBits } from '../snp/bit-flips.ts'

/** When the signers of the recorded golden measurements had valid certificates: June 2023 to June 2025. */
export const GPU_NOW_MS = Date.UTC(2024, 5, 1)

export type NvidiaVectors = ReturnType<typeof read>

/** Recorded evidence, or undefined where the folder is missing. */
export function nvidiaVectors(): NvidiaVectors | undefined {
  const folder = sharedPath('vectors', 'attestation', 'nvidia')
  return folder === undefined ? undefined : read(folder)
}

function read(folder: string) {
  const file = (name: string): Buffer => readFileSync(join(folder, name))
  const rims = {
    driver: new Uint8Array(file('nvtrust-driver-rim-545.00-test.swidtag')),
    vbios: new Uint8Array(file('nvtrust-vbios-rim-96.00.5E.00.01-test.swidtag'))
  }
  const vector = (name: string): VerifyNvidiaEvidenceInput & { readonly chainPem: string } => {
    const report = new Uint8Array(Buffer.from(file(`${name}.report.hex`).toString('latin1').trim(), 'hex'))
    return {
      report,
      chainPem: file(`${name}.chain.pem`).toString('latin1'),
      nonce: report.slice(4, 36),
      nowMs: GPU_NOW_MS,
      rims,
      policy: {}
    }
  }
  return {
    /** The golden measurements are for this one. */
    gonvtrust: vector('gonvtrust-h100'),
    nvtrust: vector('nvtrust-h100')
  }
}

/**
 * Flips bits of every part of the evidence, one at a time, as `flipSnpEvidence`. Chain and golden measurements are judged
 * by themselves, which refuses no more than the whole and is faster.
 */
export function flipGpuEvidence(input: VerifyNvidiaEvidenceInput, bits: BitChoice): Record<string, FlipResult> {
  const { report, chainPem, rims, nowMs } = input
  const part = (bytes: Uint8Array, verify: (flipped: Uint8Array) => unknown): FlipResult =>
    flipBits(bytes, bits(bytes.length), verify)
  return {
    report: part(report, flipped => verifyNvidiaEvidence({ ...input, report: flipped })),
    chain: part(Buffer.from(chainPem), flipped => verifyDeviceChain(flipped, nowMs)),
    driverRim: part(rims.driver, flipped => verifyRim(flipped, nowMs)),
    vbiosRim: part(rims.vbios, flipped => verifyRim(flipped, nowMs))
  }
}
