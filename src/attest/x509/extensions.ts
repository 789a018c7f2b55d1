import { contextTag, DerFault, DerReader, readWhole, TAG } from './der.ts'
import { readBoolean, readNamedBits, readOctets, readOid, readSmallInteger } from './der-values.ts'

/** Extensions that this code understands, RFC 5280 §4.2.1. */
export const EXTENSION = { keyUsage: '2.5.29.15', basicConstraints: '2.5.29.19' } as const

const MAX_EXTENSIONS = 32

export interface Extension {
  readonly critical: boolean
  /** The content of the extension's octet string. */
  readonly value: Uint8Array
}

export type Extensions = ReadonlyMap<string, Extension>

export interface BasicConstraints {
  readonly ca: boolean
  /** How many intermediates may follow below; undefined: any number. */
  readonly pathLength: number | undefined
}

/** Bits of keyUsage, RFC 5280 §4.2.1.3. */
export type KeyUsage = ReadonlySet<'digitalSignature' | 'nonRepudiation' | 'keyCertSign' | 'cRLSign' | 'other'>

/** Reads `Extensions` under their context tag, by object identifier. No two may be of one kind. */
export function readExtensions(reader: DerReader, tagNumber: number, what: string): Extensions {
  if (reader.nextTag !== contextTag(tagNumber)) {
    return new Map()
  }
  return reader.nested(contextTag(tagNumber), what, list => readExtensionList(list, what))
}

/** Reads `SEQUENCE OF Extension`; an empty one says nothing, and some issuers write it. */
export function readExtensionList(reader: DerReader, what: string): Extensions {
  return reader.nested(TAG.sequence, what, list => {
    const found = new Map<string, Extension>()
    while (!list.atEnd) {
      list.nested(TAG.sequence, what, item => {
        const oid = readOid(item, what)
        const given = item.nextTag === TAG.boolean
        const critical = given && readBoolean(item, what)
        if (given && !critical) {
          throw new DerFault(`${what}: ${oid} writes a default out`)
        }
        if (found.has(oid) || found.size === MAX_EXTENSIONS) {
          throw new DerFault(`${what}: ${oid} stands twice, or is one of more than ${MAX_EXTENSIONS}`)
        }
        found.set(oid, { critical, value: readOctets(item, what) })
      })
    }
    return found
  })
}

export function readBasicConstraints(extensions: Extensions): BasicConstraints {
  const extension = extensions.get(EXTENSION.basicConstraints)
  if (extension === undefined) {
    return { ca: false, pathLength: undefined }
  }
  return readWhole(extension.value, TAG.sequence, 'basicConstraints', content => {
    const given = content.nextTag === TAG.boolean
    const ca = given && readBoolean(content, 'basicConstraints')
    if (given && !ca) {
      throw new DerFault('basicConstraints writes a default out')
    }
    const limited = content.nextTag === TAG.integer
    if (limited && !ca) {
      throw new DerFault('basicConstraints limits the path below a certificate that is no CA')
    }
    return { ca, pathLength: limited ? readSmallInteger(content, 'basicConstraints') : undefined }
  })
}

/** The key's uses, or undefined where the certificate does not say. */
export function readKeyUsage(extensions: Extensions): KeyUsage | undefined {
  const extension = extensions.get(EXTENSION.keyUsage)
  if (extension === undefined) {
    return undefined
  }
  const reader = new DerReader(extension.value)
  const bits = readNamedBits(reader, 'keyUsage')
  reader.expectEnd('keyUsage')
  if (bits.size === 0) {
    throw new DerFault('keyUsage allows nothing')
  }
  const names = ['digitalSignature', 'nonRepudiation', 'other', 'other', 'other', 'keyCertSign', 'cRLSign'] as const
  return new Set([...bits].map(bit => names[bit] ?? 'other'))
}
