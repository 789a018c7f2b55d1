import { type XmlElement, XmlFault } from './xml.ts'
import { attributesOf, childElements, exactChildren, expectAttributes } from './xml-shape.ts'

/** Namespace of software identification tags, ISO/IEC 19770-2:2015. */
export const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'

const TCG = 'https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/'
const HASH = '{http://www.w3.org/2001/04/xmlenc#sha384}Hash'
const PRODUCT = 'GH100'
const MEASUREMENT_BYTES = 48
const MAX_MEASUREMENTS = 256
const MAX_ALTERNATIVES = 64

export interface RimContent {
  /** E.g. `545.00` for a driver, `96.00.5E.00.01` for a VBIOS. */
  readonly version: string
  /** By index: the digests that are right there, lower-case hex. Only what the manifest says to compare. */
  readonly golden: ReadonlyMap<number, readonly string[]>
}

/**
 * Reads what a manifest says: that it is a whole one of this product, which version it is for, and what to compare.
 *
 * @param signature the child of `root` that is no content
 * @throws {XmlFault}
 */
export function readRimContent(root: XmlElement, signature: XmlElement): RimContent {
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

function readMeasurements(payload: XmlElement): RimContent['golden'] {
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
