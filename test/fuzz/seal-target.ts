import { PeerError } from '../../src/core/errors.ts'
import { answerSurfaces } from './seal/answer-surfaces.ts'
import { messageSurfaces } from './seal/message-surfaces.ts'
import { requestSurfaces } from './seal/request-surfaces.ts'
import { seedJobs } from './seal/seal-seeds.ts'
import { documentedCodes, SurfaceTarget } from './surface.ts'

/** Nobody outside reaches these: a full memory for replays is this machine's state. */
const ENVIRONMENT = 'SEAL_EPOCH_FULL'

/**
 * All that a sealed job goes through between a client and an enclave that do not trust who carries it: requests and wraps,
 * answer frames and what is in them, announcements, the job's stream. Nothing that was changed may open.
 */
export async function sealTarget(): Promise<SurfaceTarget> {
  const jobs = seedJobs()
  const codes = documentedCodes(/^(?:SEAL|FRAME)_|^MESSAGE_(?:MALFORMED|TOO_LARGE)$|^JOB_REQUEST_INVALID$/, 'peer')
  return new SurfaceTarget(
    [...requestSurfaces(jobs), ...answerSurfaces(), ...messageSurfaces(jobs)],
    [...codes, ENVIRONMENT],
    err => err instanceof PeerError || err.code === ENVIRONMENT
  )
}
