import { sha256, toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { Validity } from '../x509/validity.ts'
import { DSIG, verifyRimSignature } from './rim-signature.ts'
import { parseXml, type XmlElement, XmlFault } from './xml.ts'
import { attributesOf, childElements, exactChildren, expectAttributes } from './xml-shape.ts'

/** Largest file of golden measurements that is read, in bytes; NVIDIA's have about 20 kB. */
export const MAX_RIM_BYTES = 256 * 1024

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'
const TCG = 'https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/'
const HASH = '{http://www.w3.org/2001/04/xmlenc#sha384}Hash'
const PRODUCT = 'GH100'
const MEASUREMENT_BYTES = 48
const MAX_MEASUREMENTS = 256
const MAX_ALTERNATIVES = 64

/** Golden measurements that NVIDIA signed: one driver or one VBIOS of H100 and H200. */
export interface Rim {
  /** E.g. `545.00` for a driver, `96.00.5E.00.01` for a VBIOS. */
  readonly version: string
  /** By index: the digests that are right there, lower-case hex. Only what the file says to compare. */
  readonly golden: ReadonlyMap<number, readonly string[]>
  /** Of the signer's certificates. */
  readonly validity: Validity
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string
}

/**
 * Reads and verifies a reference integrity manifest (`.swidtag`): size, XML, signature up to NVIDIA's pinned root, then
 * content. Whether NVIDIA withdrew it is not looked up.
 *
 * @throws {AttestationError} `ATTESTATION_RIM_SIZE`, `ATTESTATION_RIM_INVALID` and those of {@link verifyRimSignature}
 */
export function verifyRim(file: Uint8Array, nowMs: number): Rim {
  if (file.byteLength > MAX_RIM_BYTES) {
    throw refusal('SIZE', `Golden measurements have ${file.byteLength} bytes: expected at most ${MAX_RIM_BYTES}`)
  }
  try {
    const root = parseXml(Buffer.from(file).toString('latin1'))
    if (root.name !== 'SoftwareIdentity' || root.namespace !== SWID) {
      throw new XmlFault(`its root is ${root.written}`)
    }
    const signature = childElements(root).at(-1)
    if (signature?.name !== 'Signature' || signature.namespace !== DSIG) {
      throw new XmlFault('it does not end with a signature')
    }
    const validity = verifyRimSignature(root, signature, nowMs)
    return { ...readContent(root, signature), validity, digest: toHex(sha256(file)) }
  } catch (cause) {
    if (!(cause instanceof XmlFault)) {
      throw cause
    }
    throw new AttestationError('ATTESTATION_RIM_INVALID', `Golden measurements are refused: ${cause.message}`, {
      cause
    })
  }
}

function readContent(root: XmlElement, signature: XmlElement): Pick<Rim, 'version' | 'golden'> {
  const { tagId, ...identity } = Object.fromEntries(attributesOf(root))
  const rest = { ...root, children: root.children.filter(child => child !== signature) }
  const [, meta, payload] = exactChildren(rest, SWID, ['Entity', 'Meta', 'Payload'])
  const expected = { corpus: 'false', name: PRODUCT, patch: 'false', supplemental: 'false', version: '1.0' }
  if (tagId === undefined || Object.entries(expected).some(([name, value]) => identity[name] !== value)) {
    throw new XmlFault(`it is not a whole manifest of ${PRODUCT}`)
  }
  const facts = attributesOf(meta)
  const version = facts.get('colloquialVersion') ?? ''
  if (
    facts.get('product') !== PRODUCT ||
    facts.get('PayloadType') !== 'direct' ||
    facts.get(`{${TCG}}BindingSpec`) !== 'RIMIM' ||
    !/^[0-9A-Za-z.]{1,32}$/.test(version)
  ) {
    throw new XmlFault('what it says of itself is not what a manifest of measurements says')
  }
  expectAttributes(payload, {})
  return { version, golden: readMeasurements(payload) }
}

function readMeasurements(payload: XmlElement): Rim['golden'] {
  const golden = new Map<number, readonly string[]>()
  const resources = childElements(payload)
  if (resources.length > MAX_MEASUREMENTS) {
    throw new XmlFault(`it has ${resources.length} measurements: expected at most ${MAX_MEASUREMENTS}`)
  }
  const seen = new Set<number>()
  for (const resource of resources) {
    const { index, active, digests } = readResource(resource)
    if (seen.has(index)) {
      throw new XmlFault(`measurement ${index} stands twice`)
    }
    seen.add(index)
    if (active) {
      golden.set(index, digests)
    }
  }
  if (golden.size === 0) {
    throw new XmlFault('it has nothing to compare')
  }
  return golden
}

function readResource(resource: XmlElement): { index: number; active: boolean; digests: string[] } {
  if (resource.name !== 'Resource' || resource.namespace !== SWID) {
    throw new XmlFault(`its payload has ${resource.written}`)
  }
  const attributes = attributesOf(resource)
  const active = attributes.get('active')
  const index = number(attributes.get('index'), MAX_MEASUREMENTS - 1)
  const alternatives = number(attributes.get('alternatives'), MAX_ALTERNATIVES)
  const digests = Array.from({ length: alternatives }, (_, i) => attributes.get(`${HASH}${i}`) ?? '')
  if (
    attributes.get('type') !== 'Measurement' ||
    attributes.get('size') !== String(MEASUREMENT_BYTES) ||
    !attributes.has('name') ||
    (active !== 'True' && active !== 'False') ||
    alternatives === 0 ||
    attributes.size !== 6 + alternatives ||
    !digests.every(digest => /^[0-9a-f]{96}$/.test(digest))
  ) {
    throw new XmlFault(`measurement ${index} is not ${MEASUREMENT_BYTES} bytes with ${alternatives} alternatives`)
  }
  return { index, active: active === 'True', digests }
}

function number(text: string | undefined, max: number): number {
  const value = /^(?:0|[1-9]\d{0,3})$/.test(text ?? '') ? Number(text) : Number.NaN
  if (!(value <= max)) {
    throw new XmlFault(`${JSON.stringify(text)} is not a number from 0 to ${max}`)
  }
  return value
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_RIM_${cause}`, message)
}
