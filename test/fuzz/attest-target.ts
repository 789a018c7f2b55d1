import { AttestationError, PeerError } from '../../src/core/errors.ts'
import { documentSeeds, LOG } from './attest/document-seeds.ts'
import { documentSurfaces } from './attest/document-surfaces.ts'
import { gpuSurfaces } from './attest/gpu-surfaces.ts'
import { lateSurfaces } from './attest/late-surfaces.ts'
import { SeededPlatform } from './attest/seeded-platform.ts'
import { signedTdxSurface } from './attest/signed-surfaces.ts'
import { snpSurfaces } from './attest/snp-surfaces.ts'
import { TdxSeeds } from './attest/tdx-seeds.ts'
import { tdxSurfaces } from './attest/tdx-surfaces.ts'
import { X509Seeds } from './attest/x509-seeds.ts'
import { x509Surfaces } from './attest/x509-surfaces.ts'
import { documentedCodes, SurfaceTarget } from './surface.ts'

/** Of what a client compares with the job it asked for, after all that is fuzzed here. */
const OF_THE_CLIENT = ['ATTESTATION_XWING_KEY_MISMATCH', 'RECEIPT_MISMATCH']

/**
 * All that reads or judges what somebody else calls evidence: certificates, revocation lists, quotes and reports of every
 * vendor, collateral, golden measurements, event logs, statements, receipts and their files. Nothing but a coded refusal
 * may come out, and nothing that was changed may hold.
 */
export async function attestTarget(): Promise<SurfaceTarget> {
  const platform = new SeededPlatform()
  const seeds = await documentSeeds(platform)
  const surfaces = [
    ...x509Surfaces(new X509Seeds(platform)),
    ...tdxSurfaces(new TdxSeeds(platform, [LOG.log])),
    signedTdxSurface(platform),
    ...snpSurfaces(),
    ...gpuSurfaces(),
    ...documentSurfaces(seeds),
    ...lateSurfaces(seeds)
  ]
  const codes = documentedCodes(/^(?:ATTESTATION|RECEIPT)_/, 'attestation').filter(
    code => !OF_THE_CLIENT.includes(code)
  )
  // Messages around evidence are the peer's.
  return new SurfaceTarget(
    surfaces,
    codes,
    err => err instanceof AttestationError || (err instanceof PeerError && err.code.startsWith('MESSAGE_'))
  )
}
