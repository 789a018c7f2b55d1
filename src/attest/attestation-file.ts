import { fromHex, toBase64, toHex } from '../core/bytes.ts'
import { AttestationError, errorMessage } from '../core/errors.ts'
import { LIMITS } from '../wire/limits.ts'
import {
  anyObject,
  base64,
  canonicalBytes,
  DocumentFault,
  hex,
  integer,
  object,
  oneOf,
  optional,
  parseJson,
  type Reader
} from './document.ts'
import { decodeStatement } from './statement.ts'

/** What a provider showed once, kept so that it can be judged again without it. */
export interface StoredAttestation {
  /** RFC 8785 JSON. */
  statement: Uint8Array
  evidence: Uint8Array
  /** 64 bytes. */
  peerSignature: Uint8Array
  /** The challenge that the evidence binds, 32 bytes; absent if it binds the statement's beacon. */
  challenge?: Uint8Array
  /** When it was fetched, Unix milliseconds, by the clock of whoever fetched it. */
  fetchedAtMs: number
}

const VERSION = 'cocoon/attestation/1'
const MAX_FILE_BYTES = 2 * (LIMITS.evidenceBytes + LIMITS.statementBytes) + 4096

interface AttestationFile {
  version: typeof VERSION
  statement: object
  evidence: string
  peerSignature: string
  challenge?: string
  fetchedAtMs: number
}

const readFile = object<AttestationFile>({
  version: oneOf([VERSION]),
  statement: anyObject,
  evidence: base64(),
  peerSignature: hex(64),
  challenge: optional(hex(32)) as Reader<string>,
  fetchedAtMs: integer(1)
})

/** Text of an attestation file: JSON that people can read, the statement in it as an object. */
export function encodeStoredAttestation(stored: StoredAttestation): string {
  const { challenge } = stored
  const file: AttestationFile = {
    version: VERSION,
    statement: decodeStatement(stored.statement),
    evidence: toBase64(stored.evidence),
    peerSignature: toHex(stored.peerSignature),
    ...(challenge === undefined ? {} : { challenge: toHex(challenge) }),
    fetchedAtMs: stored.fetchedAtMs
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/**
 * Reads an attestation file. Shape only: `verifyAttestation` says whether it is true.
 *
 * @throws {AttestationError} `ATTESTATION_FILE_INVALID`, and those of {@link decodeStatement}
 */
export function decodeStoredAttestation(file: string): StoredAttestation {
  const { challenge, statement, ...rest } = parse(file)
  decodeStatement(statement)
  return {
    statement,
    evidence: new Uint8Array(Buffer.from(rest.evidence, 'base64')),
    peerSignature: fromHex(rest.peerSignature, 64),
    ...(challenge === undefined ? {} : { challenge: fromHex(challenge, 32) }),
    fetchedAtMs: rest.fetchedAtMs
  }
}

function parse(file: string): Omit<AttestationFile, 'statement'> & { statement: Uint8Array } {
  try {
    if (file.length > MAX_FILE_BYTES) {
      throw new DocumentFault(`The file has ${file.length} characters: expected at most ${MAX_FILE_BYTES}`)
    }
    const read = readFile(parseJson(Buffer.from(file)), 'Attestation file')
    return { ...read, statement: canonicalBytes(read.statement) }
  } catch (cause) {
    throw new AttestationError('ATTESTATION_FILE_INVALID', errorMessage(cause), { cause })
  }
}
