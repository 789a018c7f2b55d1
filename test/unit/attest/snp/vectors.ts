import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_SNP_POLICY, type SnpPolicy } from '../../../../src/attest/snp/policy.ts'
import { type SignedSnpReportInput, verifySignedSnpReport } from '../../../../src/attest/snp/signed-report.ts'
import { ANY_TCB } from '../../../../src/attest/snp/tcb.ts'
import { verifySnpReport } from '../../../../src/attest/snp/verify.ts'
import { splitPem } from '../../../../src/attest/x509/pem.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { type BitChoice, type FlipResult, flipBits } from './bit-flips.ts'

/** When the recorded chains are valid; that of the VLEK ended before. */
export const NOW_MS = Date.UTC(2026, 0, 10)
export const VLEK_NOW_MS = Date.UTC(2025, 5, 1)

export const MILAN_POLICY: SnpPolicy = { ...DEFAULT_SNP_POLICY, minimumTcb: { milan: ANY_TCB } }

/** An Azure blob holds its report at this offset. */
const AZURE_REPORT = { from: 0x20, to: 0x4c0 }

export type SnpVectors = ReturnType<typeof read>

/** Recorded reports and chains, or undefined where the folder is missing. No revocation list of their time was recorded. */
export function snpVectors(): SnpVectors | undefined {
  const folder = sharedPath('vectors', 'attestation', 'snp')
  return folder === undefined ? undefined : read(folder)
}

function read(folder: string) {
  const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)))
  const issuers = (name: string): { ask: Uint8Array; ark: Uint8Array } => {
    const [ask, ark] = splitPem(file(name), 2)
    if (ask === undefined || ark === undefined) {
      throw new Error(`${name} does not hold two certificates`)
    }
    return { ask, ark }
  }
  const milan = issuers('amd-ask-ark-milan.pem')
  const milanVlek = issuers('amd-asvk-ark-milan-vlek.pem')
  const vector = (report: Uint8Array, leaf: Uint8Array): SignedSnpReportInput => ({
    report,
    certificates: { leaf, ...milan },
    nowMs: NOW_MS,
    policy: MILAN_POLICY
  })
  const [azureLeaf, azureAsk, azureArk] = splitPem(file('azure-milan.vcek-chain.pem'), 3)
  if (azureLeaf === undefined || azureAsk === undefined || azureArk === undefined) {
    throw new Error('The chain of Azure does not hold three certificates')
  }
  const coco = vector(file('coco-milan.report.bin'), file('coco-milan.vcek.der'))
  return {
    issuers: { milan, milanVlek, genoa: issuers('amd-ask-ark-genoa.pem'), turin: issuers('amd-ask-ark-turin.pem') },
    debug: vector(file('google-milan-debug.report.bin'), file('google-milan-debug.vcek.der')),
    virtee: vector(file('virtee-milan.report.bin'), file('virtee-milan.vcek.der')),
    coco,
    azure: {
      ...coco,
      report: file('azure-milan-hcl-report.bin').slice(AZURE_REPORT.from, AZURE_REPORT.to),
      certificates: { leaf: azureLeaf, ask: azureAsk, ark: azureArk }
    },
    vlek: {
      report: file('coco-milan-vlek.report.bin'),
      certificates: { leaf: file('coco-milan-vlek.vlek.der'), ...milanVlek },
      nowMs: VLEK_NOW_MS,
      policy: { ...MILAN_POLICY, vmpls: [1] }
    },
    tamperedLeaves: [file('coco-milan.vcek-invalid-legacy.der'), file('coco-milan.vcek-invalid-new.der')],
    turinLeaf: file('virtee-turin.vcek.der')
  }
}

/**
 * Flips bits of every part of the evidence, one at a time: of report and certificates, and of the revocation list if there
 * is one. With {@link everyBit} that takes minutes: it is not part of `npm test`.
 */
export function flipSnpEvidence(
  input: SignedSnpReportInput & { crl?: Uint8Array },
  bits: BitChoice
): Record<string, FlipResult> {
  const { report, certificates, crl } = input
  const verify = (changed: SignedSnpReportInput): unknown =>
    crl === undefined ? verifySignedSnpReport(changed) : verifySnpReport({ crl, ...changed })
  const part = (
    bytes: Uint8Array,
    put: (flipped: Uint8Array) => SignedSnpReportInput & { crl?: Uint8Array }
  ): FlipResult => flipBits(bytes, bits(bytes.length), flipped => verify(put(flipped)))
  const certificate = (name: 'leaf' | 'ask' | 'ark'): FlipResult =>
    part(certificates[name], flipped => ({ ...input, certificates: { ...certificates, [name]: flipped } }))
  return {
    report: part(report, flipped => ({ ...input, report: flipped })),
    leaf: certificate('leaf'),
    ask: certificate('ask'),
    ark: certificate('ark'),
    ...(crl && { crl: part(crl, flipped => ({ ...input, crl: flipped })) })
  }
}
