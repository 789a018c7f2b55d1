import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { DerFault, DerReader, readWhole, TAG } from '../x509/der.ts'
import { readOctets, readOid, readSmallInteger } from '../x509/der-values.ts'

const SGX_EXTENSION = '1.2.840.113741.1.13.1'
const TCB_COMPONENTS = 16

/** Common names that Intel gives (Intel SGX PCK Certificate and CRL Profile, §1.3). */
const PCK_NAME = 'Intel SGX PCK Certificate'
const PCK_CA_NAMES: readonly (string | undefined)[] = ['Intel SGX PCK Platform CA', 'Intel SGX PCK Processor CA']

/** The platform that a PCK certificate stands for. */
export interface Platform {
  /** 6 bytes, lower-case hex: family, model, stepping, platform type, custom SKU. */
  readonly fmspc: string
  /** 2 bytes, lower-case hex. */
  readonly pceId: string
  /** The 16 SGX TCB components' security versions, as of the certificate. */
  readonly sgxComponents: readonly number[]
  readonly pceSvn: number
}

/**
 * Reads the SGX extension of a PCK certificate (Intel SGX PCK Certificate and CRL Profile, §1.3.5), and checks that it
 * is one: its name, its CA's, no CA itself.
 *
 * @throws {AttestationError} `ATTESTATION_PCK_INVALID`
 */
export function readPlatform(pck: Certificate, ca: Certificate): Platform {
  const mayNotSign = pck.keyUsage?.has('digitalSignature') === false
  if (pck.subject.commonName !== PCK_NAME || !PCK_CA_NAMES.includes(ca.subject.commonName)) {
    throw invalid(`${pck.subject.text} under ${ca.subject.text} is no PCK certificate`)
  }
  if (pck.keyType !== 'p256' || pck.basicConstraints.ca || mayNotSign) {
    throw invalid(`${pck.subject.text} is not a key to sign reports with`)
  }
  const extension = pck.extensions.get(SGX_EXTENSION)
  if (extension === undefined) {
    throw invalid('it has no SGX extension')
  }
  try {
    return readSgxExtension(extension.value)
  } catch (cause) {
    if (!(cause instanceof DerFault)) {
      throw cause
    }
    throw invalid(`its SGX extension is malformed: ${cause.message}`, cause)
  }
}

function readSgxExtension(bytes: Uint8Array): Platform {
  const found = readWhole(bytes, TAG.sequence, 'The SGX extension', fields => readFields(fields, SGX_EXTENSION))
  const tcb = field(found, 2)
  const versions = tcb.nested(TAG.sequence, 'The TCB', fields => readFields(fields, `${SGX_EXTENSION}.2`))
  const svn = (number: number, max: number): number => {
    const value = readSmallInteger(field(versions, number), 'A security version')
    if (value > max) {
      throw new DerFault(`a security version is ${value}: expected at most ${max}`)
    }
    return value
  }
  return {
    pceId: sized(field(found, 3), 2),
    fmspc: sized(field(found, 4), 6),
    sgxComponents: Array.from({ length: TCB_COMPONENTS }, (_, i) => svn(i + 1, 0xff)),
    pceSvn: svn(17, 0xffff)
  }
}

/** Reads `SEQUENCE { OBJECT IDENTIFIER, value }` of the arcs below `base`, each once. */
function readFields(fields: DerReader, base: string): ReadonlyMap<number, DerReader> {
  const found = new Map<number, DerReader>()
  while (!fields.atEnd) {
    const content = new DerReader(fields.read(TAG.sequence, 'A field').content)
    const oid = readOid(content, 'A field')
    const number = Number(oid.slice(base.length + 1))
    if (oid !== `${base}.${number}` || found.has(number)) {
      throw new DerFault(`${oid} does not belong there, or stands twice`)
    }
    const value = content.readAny(oid)
    content.expectEnd(oid)
    found.set(number, new DerReader(value.raw))
  }
  return found
}

function field(found: ReadonlyMap<number, DerReader>, number: number): DerReader {
  const reader = found.get(number)
  if (reader === undefined) {
    throw new DerFault(`field ${number} is missing`)
  }
  return reader
}

function sized(reader: DerReader, length: number): string {
  const octets = readOctets(reader, 'A field')
  if (octets.length !== length) {
    throw new DerFault(`a field has ${octets.length} bytes: expected ${length}`)
  }
  return toHex(octets)
}

function invalid(why: string, cause?: unknown): AttestationError {
  return new AttestationError('ATTESTATION_PCK_INVALID', `The platform's certificate is refused: ${why}`, { cause })
}
