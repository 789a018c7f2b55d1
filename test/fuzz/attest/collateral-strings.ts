import type { TdxCollateral } from '../../../src/attest/tdx/collateral.ts'
import { splitPem } from '../../../src/attest/x509/pem.ts'
import { pemOf } from '../../unit/attest/x509/make-certificate.ts'
import { mutate } from '../mutate.ts'
import { type DerDocument, mutateDer, readDerDocument } from '../mutate-der.ts'
import { mutateJson, readJsonDocument } from '../mutate-json.ts'
import { mutateLines } from '../mutate-text.ts'
import type { FuzzRandom } from '../random.ts'

/** Taken apart once each; there are few, and they come back often. */
const documents = new Map<string, DerDocument>()

/** One field of collateral changed in the way that hurts it most, or exchanged for another platform's. */
export function collateralString(random: FuzzRandom, name: string, value: string, other: TdxCollateral): string {
  if (random.below(6) === 0) {
    return (other as unknown as Record<string, string>)[name] ?? value
  }
  if (name.endsWith('_crl')) {
    return Buffer.from(mutateDer(random, [document(value, Buffer.from(value, 'hex'))])).toString('hex')
  }
  if (name.endsWith('_signature')) {
    return Buffer.from(mutate(random, [Buffer.from(value, 'hex')]).bytes).toString('hex')
  }
  if (!name.endsWith('_chain')) {
    return Buffer.from(mutateJson(random, [readJsonDocument(value)])).toString('utf8')
  }
  if (random.below(3) === 0) {
    return Buffer.from(mutateLines(random, [value])).toString('latin1')
  }
  const ders = splitPem(value, 3)
  const at = random.below(ders.length)
  return ders
    .map((der, i) => pemOf(i === at ? mutateDer(random, [document(Buffer.from(der).toString('hex'), der)]) : der))
    .join('')
}

/** Bytes that stand in a text: as DER where they are, else as any bytes. */
export function changedString(random: FuzzRandom, bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0x30 && bytes[1] === 0x82) {
    return mutateDer(random, [readDerDocument(bytes)])
  }
  return mutate(random, [bytes]).bytes
}

function document(key: string, der: Uint8Array): DerDocument {
  const known = documents.get(key) ?? readDerDocument(der)
  documents.set(key, known)
  return known
}
