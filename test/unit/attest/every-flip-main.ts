import { flipGpuEvidence, nvidiaVectors } from './nvidia/vectors.ts'
import { everyBit, type FlipResult, flipText } from './snp/bit-flips.ts'
import { MadeSnpPlatform } from './snp/made-snp-platform.ts'
import { flipSnpEvidence, snpVectors } from './snp/vectors.ts'

/**
 * Flips every single bit of recorded SEV-SNP and NVIDIA evidence, and of a made SEV-SNP platform's with its revocation list,
 * and prints who refused it. Takes many minutes; exits
 * with 1 if a flip was accepted.
 */
const snp = snpVectors()
const nvidia = nvidiaVectors()
if (snp === undefined || nvidia === undefined) {
  throw new Error('The recorded evidence is not beside the project')
}
const runs: Record<string, () => Record<string, FlipResult>> = {
  'snp-vcek': () => flipSnpEvidence(snp.coco, everyBit),
  'snp-vlek': () => flipSnpEvidence(snp.vlek, everyBit),
  'snp-made': () => flipSnpEvidence(new MadeSnpPlatform().input(), everyBit),
  nvidia: () => flipGpuEvidence(nvidia.gonvtrust, everyBit)
}
const chosen = process.argv.slice(2)
for (const [name, run] of Object.entries(runs)) {
  if (chosen.length === 0 || chosen.includes(name)) {
    for (const [part, result] of Object.entries(run())) {
      console.log(flipText(`${name} ${part}`, result))
      process.exitCode = result.accepted.length > 0 ? 1 : process.exitCode
    }
  }
}
