import { toHex } from '../core/bytes.ts'
import type { Platform } from './judge-evidence.ts'
import type { VerifiedEnclave } from './verify.ts'

/** What an attested enclave means for whoever asks it, in plain words; one line each. */
export interface EnclaveInWords {
  /** What runs, and in what. */
  readonly runs: readonly string[]
  /** What the owner of that machine can do all the same. */
  readonly can: readonly string[]
  /** What that owner cannot do, as far as the evidence goes; empty for a simulated enclave. */
  readonly cannot: readonly string[]
}

const ALWAYS_CAN = [
  'see which peer asks, when, how long the sealed question is in its size class, and how many tokens are paid for',
  'refuse, delay or stop an answer, and keep what was paid for the window under way'
]

const HARDWARE_CANNOT = [
  'read the question or the answer, or the keys they are sealed with',
  'answer with other weights or another program than named here, or sign a receipt for what it did not compute',
  'open what it recorded later: keys are made anew every half hour and kept in memory only'
]

const HARDWARE_CAN =
  'read everything, if it opens the machine and puts a device between processor and memory: no attestation tells that'

/** Says what an enclave that was accepted is, and what that is worth. */
export function describeEnclave({ statement, platform, image }: VerifiedEnclave): EnclaveInWords {
  const { software, modelDigests, notBeforeMs, notAfterMs, beacon } = statement
  const runs = [
    `cocoon-node ${software.version}, enclave program ${software.bundleDigest}`,
    ...modelDigests.map(digest => `model ${digest}`),
    ...platformLines(platform, image?.name),
    `statement from ${time(notBeforeMs)} to ${time(notAfterMs)}, bound to block ${beacon.height} of network ${beacon.globalId}`
  ]
  return platform.tier === 'simulated'
    ? { runs, can: ['read every question and every answer', ...ALWAYS_CAN], cannot: [] }
    : { runs, can: [...ALWAYS_CAN, HARDWARE_CAN], cannot: HARDWARE_CANNOT }
}

function platformLines(platform: Platform, image: string | undefined): string[] {
  const inImage = `guest image ${JSON.stringify(image)}`
  switch (platform.tier) {
    case 'simulated':
      return ['a simulated enclave: an ordinary process, with evidence that anyone can make']
    case 'tdx':
    case 'tdx+gpu': {
      const { fmspc, tcbStatus, tcbDate, advisoryIds } = platform.td
      const advisories = advisoryIds.length === 0 ? 'no advisories' : advisoryIds.join(', ')
      return [
        `an Intel TDX guest, ${inImage}`,
        `platform ${fmspc}, security level ${tcbStatus} as of ${tcbDate}, ${advisories}`,
        ...(platform.tier === 'tdx' ? [] : platform.gpus.map(gpuLine))
      ]
    }
    case 'snp': {
      const { product, signer, chipId, cloudId } = platform.guest
      const chip = cloudId ?? `chip ${toHex(chipId).slice(0, 16)}…`
      return [`an AMD SEV-SNP guest, ${inImage}`, `EPYC ${product}, ${chip}, signed by its ${signer.toUpperCase()}`]
    }
  }
}

function gpuLine({
  chipSku,
  driverVersion,
  vbiosVersion
}: {
  chipSku: string
  driverVersion: string
  vbiosVersion: string
}): string {
  return `NVIDIA GPU ${chipSku} in confidential mode, driver ${driverVersion}, VBIOS ${vbiosVersion}`
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
