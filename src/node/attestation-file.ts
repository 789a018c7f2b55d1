import { readFile, writeFile } from 'node:fs/promises'
import {
  decodeStatement,
  decodeStoredAttestation,
  encodeStoredAttestation,
  type StoredAttestation,
  type VerifiedEnclave,
  verifyAttestation
} from '../attest/index.ts'
import { EnvironmentError, errorCode } from '../core/errors.ts'
import { PeerKeys } from '../mesh/index.ts'
import { loadAttestationPolicy } from './attestation-policy.ts'

export interface JudgeAttestationInit {
  /** Policy file; the default policy without one. */
  policyFile?: string
  allowSimulated: boolean
  /**
   * Unix milliseconds to judge at.
   * @default when the file says it was fetched
   */
  nowMs?: number
}

/**
 * Judges a saved attestation offline: everything but whether its block was the chain's.
 *
 * @throws {EnvironmentError} `ATTESTATION_FILE_NOT_READABLE`
 * @throws {AttestationError} with the code of the check that failed
 */
export async function judgeAttestationFile(
  path: string,
  { policyFile: file, allowSimulated, nowMs }: JudgeAttestationInit
): Promise<VerifiedEnclave> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new EnvironmentError(
      'ATTESTATION_FILE_NOT_READABLE',
      `The attestation ${path} cannot be read (${errorCode(cause) ?? 'unknown'})`,
      { cause }
    )
  }
  const { fetchedAtMs, ...stored } = decodeStoredAttestation(text)
  const keys = new PeerKeys()
  return verifyAttestation({
    ...stored,
    expectedPeerId: decodeStatement(stored.statement).peerId,
    verifyPeerSignature: (peerId, message, signature) => keys.verify(peerId, message, signature),
    policy: await loadAttestationPolicy({ file, homePath: '', allowSimulated }),
    nowMs: nowMs ?? fetchedAtMs
  })
}

/** @throws {EnvironmentError} `ATTESTATION_FILE_NOT_WRITABLE`, also if there is one already */
export async function saveAttestation(path: string, stored: StoredAttestation): Promise<void> {
  try {
    await writeFile(path, encodeStoredAttestation(stored), { flag: 'wx' })
  } catch (cause) {
    throw new EnvironmentError(
      'ATTESTATION_FILE_NOT_WRITABLE',
      `The attestation cannot be saved as ${path} (${errorCode(cause) ?? 'unknown'}): name a new file in a folder that exists`,
      { cause }
    )
  }
}
