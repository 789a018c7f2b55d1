import { createHash, type KeyObject } from 'node:crypto'
import { fromHex, sha256, toHex } from '../core/bytes.ts'
import { type Ed25519KeyPair, ed25519FromSeed, ed25519PublicKey, ed25519Sign, ed25519Verify } from '../core/ed25519.ts'
import { AttestationError } from '../core/errors.ts'
import { canonicalBytes, decodeDocument, hex, object, oneOf, type Reader } from './document.ts'
import { EVIDENCE_KIND } from './evidence.ts'
import { REPORT_DATA_BYTES } from './report-data.ts'

const ROOT_SEED_TEXT = 'cocoon simulated attestation root: proves nothing'
const SIGNATURE_DOMAIN = Buffer.from('cocoon/simulated-evidence/v1')
const MEASUREMENT_DOMAIN = 'cocoon/simulated-measurement/v1'

/**
 * Stands in for a quote where there is no TEE. Anyone can make it: the root's private key is the hash of a public
 * sentence. It exists so that the whole path runs on any machine, and every policy but the simnet's refuses it.
 */
export interface SimulatedEvidence {
  type: 'simulated'
  version: 1
  /** {@link simulatedMeasurement}, 48 bytes hex. */
  measurement: string
  /** 64 bytes hex. */
  reportData: string
  /** Raw Ed25519 key of the throw-away root, 32 bytes hex. */
  rootKey: string
  /** Ed25519 over `cocoon/simulated-evidence/v1` ‖ the RFC 8785 bytes of all other fields, 64 bytes hex. */
  signature: string
}

const readEvidence: Reader<SimulatedEvidence> = object<SimulatedEvidence>({
  type: oneOf(['simulated']),
  version: oneOf([1]),
  measurement: hex(48),
  reportData: hex(REPORT_DATA_BYTES),
  rootKey: hex(32),
  signature: hex(64)
})

let root: (Ed25519KeyPair & { readonly verifyKey: KeyObject }) | undefined

/**
 * SHA-384("cocoon/simulated-measurement/v1" ‖ bundle digest), 48 bytes like MRTD: what a TEE would have measured of
 * the enclave program.
 *
 * @param bundleDigest SHA-256 of the enclave program, 32 bytes
 */
export function simulatedMeasurement(bundleDigest: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha384').update(MEASUREMENT_DOMAIN).update(bundleDigest).digest())
}

/**
 * Evidence of type `simulated`, as canonical JSON.
 *
 * @param input `bundleDigest`: 32 bytes; `reportData`: 64 bytes
 */
export function makeSimulatedEvidence(input: { bundleDigest: Uint8Array; reportData: Uint8Array }): Uint8Array {
  const { privateKey, publicKey } = simulatedRoot()
  const body: Omit<SimulatedEvidence, 'signature'> = {
    type: 'simulated',
    version: 1,
    measurement: toHex(simulatedMeasurement(input.bundleDigest)),
    reportData: toHex(input.reportData),
    rootKey: toHex(publicKey)
  }
  const bytes = canonicalBytes({ ...body, signature: toHex(ed25519Sign(privateKey, signedMessage(body))) })
  decodeSimulatedEvidence(bytes)
  return bytes
}

/** @throws {AttestationError} `ATTESTATION_EVIDENCE_TOO_LARGE`, `ATTESTATION_EVIDENCE_INVALID`, `ATTESTATION_EVIDENCE_NOT_CANONICAL` */
export function decodeSimulatedEvidence(bytes: Uint8Array): SimulatedEvidence {
  return decodeDocument(EVIDENCE_KIND, bytes, readEvidence)
}

/**
 * Checks the shape and the signature by the throw-away root. That says who wrote the bytes, not where they ran.
 *
 * @throws {AttestationError} as {@link decodeSimulatedEvidence}, and `ATTESTATION_ROOT_UNKNOWN`,
 *   `ATTESTATION_EVIDENCE_SIGNATURE_INVALID`
 */
export function verifySimulatedEvidence(bytes: Uint8Array): { measurement: string; reportData: Uint8Array } {
  const { signature, ...body } = decodeSimulatedEvidence(bytes)
  const { publicKey, verifyKey } = simulatedRoot()
  if (body.rootKey !== toHex(publicKey)) {
    throw new AttestationError(
      'ATTESTATION_ROOT_UNKNOWN',
      'Simulated evidence names another root than the well-known one'
    )
  }
  if (!ed25519Verify(verifyKey, signedMessage(body), fromHex(signature, 64))) {
    throw new AttestationError('ATTESTATION_EVIDENCE_SIGNATURE_INVALID', 'The signature of the evidence does not hold')
  }
  return { measurement: body.measurement, reportData: fromHex(body.reportData, REPORT_DATA_BYTES) }
}

function signedMessage(body: Omit<SimulatedEvidence, 'signature'>): Uint8Array {
  return Buffer.concat([SIGNATURE_DOMAIN, canonicalBytes(body)])
}

function simulatedRoot(): Ed25519KeyPair & { readonly verifyKey: KeyObject } {
  if (root === undefined) {
    const pair = ed25519FromSeed(sha256(ROOT_SEED_TEXT))
    root = { ...pair, verifyKey: ed25519PublicKey(pair.publicKey) }
  }
  return root
}
