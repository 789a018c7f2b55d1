import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { DerFault, DerReader, TAG } from '../x509/der.ts'
import { readSmallInteger } from '../x509/der-values.ts'
import { PRODUCT_NAMES, type SnpProduct } from './product.ts'
import type { SnpSigner } from './report.ts'
import type { SnpTcb } from './tcb.ts'

/** AMD's own extensions (VCEK Certificate and KDS Interface Specification, §3). */
const ARC = '1.3.6.1.4.1.3704.1.'
const OID = { structVersion: '1', productName: '2', hardwareId: '4', cloudId: '5' } as const
const SPL = { bootLoader: '3.1', tee: '3.2', snp: '3.3', microcode: '3.8', fmc: '3.9' } as const
/** Security versions that are not in use yet, and must be zero. */
const RESERVED_SPLS = ['3.5', '3.6', '3.7'] as const
const RESERVED_BEFORE_TURIN = '3.4'

const STRUCT_VERSIONS: readonly number[] = [0, 1]
const HARDWARE_ID_BYTES: Readonly<Record<SnpProduct, number>> = { milan: 64, genoa: 64, turin: 8 }
const CHIP_ID_BYTES = 64
const MAX_CLOUD_ID_BYTES = 256

/** What AMD certified of the key that signs reports. */
export interface SnpEndorsement {
  /** The key is derived for exactly these versions. */
  readonly tcb: SnpTcb
  /** VCEK: 64 bytes as reports have them. */
  readonly chipId: Uint8Array | undefined
  /** VLEK: the cloud that AMD gave the key to, printable ASCII. */
  readonly cloudId: string | undefined
}

/** The common names of a chain: its leaf, and the key between it and the root. */
export function chainNames(product: SnpProduct, signer: SnpSigner): { readonly leaf: string; readonly issuer: string } {
  const name = PRODUCT_NAMES[product]
  return signer === 'vcek'
    ? { leaf: 'SEV-VCEK', issuer: `SEV-${name}` }
    : { leaf: 'SEV-VLEK', issuer: `SEV-VLEK-${name}` }
}

/**
 * Reads AMD's extensions of a VCEK or VLEK whose chain held: each that belongs there, and no other of AMD's.
 *
 * @throws {AttestationError} `ATTESTATION_SNP_ENDORSEMENT_INVALID`
 */
export function readEndorsement(leaf: Certificate, product: SnpProduct, signer: SnpSigner): SnpEndorsement {
  try {
    return read(leaf, product, signer)
  } catch (cause) {
    if (!(cause instanceof DerFault)) {
      throw cause
    }
    throw new AttestationError(
      'ATTESTATION_SNP_ENDORSEMENT_INVALID',
      `The ${signer.toUpperCase()} certificate is not as AMD makes them for ${PRODUCT_NAMES[product]}: ${cause.message}`,
      { cause }
    )
  }
}

function read(leaf: Certificate, product: SnpProduct, signer: SnpSigner): SnpEndorsement {
  const ours = new Map(
    [...leaf.extensions]
      .filter(([oid]) => oid.startsWith(ARC))
      .map(([oid, { value }]) => [oid.slice(ARC.length), value] as const)
  )
  const take = (name: string): Uint8Array => {
    const value = ours.get(name)
    if (value === undefined || !ours.delete(name)) {
      throw new DerFault(`extension ${ARC}${name} is missing`)
    }
    return value
  }
  const version = integer(take(OID.structVersion))
  if (!STRUCT_VERSIONS.includes(version)) {
    throw new DerFault(`it has the structure of version ${version}`)
  }
  expectProductName(text(take(OID.productName)), product)
  for (const reserved of product === 'turin' ? RESERVED_SPLS : [...RESERVED_SPLS, RESERVED_BEFORE_TURIN]) {
    if (integer(take(reserved)) !== 0) {
      throw new DerFault(`extension ${ARC}${reserved} is reserved and not zero`)
    }
  }
  const tcb: SnpTcb = {
    fmc: product === 'turin' ? byte(take(SPL.fmc)) : 0,
    bootLoader: byte(take(SPL.bootLoader)),
    tee: byte(take(SPL.tee)),
    snp: byte(take(SPL.snp)),
    microcode: byte(take(SPL.microcode))
  }
  const chipId = signer === 'vcek' ? readChipId(take(OID.hardwareId), product) : undefined
  const cloudId = signer === 'vlek' ? text(take(OID.cloudId)) : undefined
  const [other] = ours.keys()
  if (other !== undefined) {
    throw new DerFault(`extension ${ARC}${other} does not belong there`)
  }
  return { tcb, chipId, cloudId }
}

// "Milan-B0" with the stepping in older certificates, "Milan" in newer ones.
function expectProductName(name: string, product: SnpProduct): void {
  const expected = PRODUCT_NAMES[product]
  if (name !== expected && !(name.startsWith(`${expected}-`) && /^[A-Z]\d$/.test(name.slice(expected.length + 1)))) {
    throw new DerFault(`it is for ${JSON.stringify(name)}`)
  }
}

function readChipId(value: Uint8Array, product: SnpProduct): Uint8Array {
  const length = HARDWARE_ID_BYTES[product]
  if (value.length !== length) {
    throw new DerFault(`its hardware id has ${value.length} bytes: expected ${length}`)
  }
  // All zero is how a report says that the chip is masked.
  if (/^0*$/.test(toHex(value))) {
    throw new DerFault('its hardware id is zero')
  }
  const chipId = new Uint8Array(CHIP_ID_BYTES)
  chipId.set(value)
  return chipId
}

function integer(value: Uint8Array): number {
  const reader = new DerReader(value)
  const number = readSmallInteger(reader, 'an extension')
  reader.expectEnd('an extension')
  return number
}

function byte(value: Uint8Array): number {
  const number = integer(value)
  if (number > 0xff) {
    throw new DerFault(`a security version is ${number}: expected at most 255`)
  }
  return number
}

function text(value: Uint8Array): string {
  const reader = new DerReader(value)
  const { content } = reader.read(TAG.ia5String, 'an extension')
  reader.expectEnd('an extension')
  if (content.length > MAX_CLOUD_ID_BYTES || content.some(code => code < 0x20 || code > 0x7e)) {
    throw new DerFault('a text in it is not short and printable')
  }
  return Buffer.from(content).toString('latin1')
}
