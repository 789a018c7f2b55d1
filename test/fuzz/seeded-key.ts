import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { sha256 } from '../../src/core/bytes.ts'
import { bits, int, seq } from '../unit/attest/x509/der-writer.ts'
import { readDerDocument } from './mutate-der.ts'

/** Order of P-256. */
const ORDER = 0xffff_ffff_0000_0000_ffff_ffff_ffff_ffff_bce6_faad_a717_9e84_f3b9_cac2_fc63_2551n

/**
 * A P-256 key of a text, whose signatures are the same in every run: an input must be found again by its number. Keys and
 * signatures of `node:crypto` are not.
 */
export class SeededKey {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  /** `x ‖ y`, 64 bytes. */
  readonly point: Uint8Array
  readonly #secret: bigint

  constructor(label: string) {
    const secret = sha256(label)
    this.point = multiplied(secret)
    this.#secret = number(secret)
    const part = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
    const [x, y] = [this.point.subarray(0, 32), this.point.subarray(32)].map(part)
    const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '', d: part(secret) }
    this.privateKey = createPrivateKey({ key: jwk, format: 'jwk' })
    this.publicKey = createPublicKey(this.privateKey)
  }

  /** `r ‖ s` of ECDSA with SHA-256, 64 bytes. */
  sign(message: Uint8Array): Uint8Array {
    const digest = sha256(message)
    const nonce = sha256('nonce', this.point, digest)
    const r = number(multiplied(nonce).subarray(0, 32)) % ORDER
    const s = (inverse(number(nonce) % ORDER) * ((number(digest) + r * this.#secret) % ORDER)) % ORDER
    return new Uint8Array(Buffer.from([r, s].map(half => half.toString(16).padStart(64, '0')).join(''), 'hex'))
  }

  /** The same certificate or list with a signature of this key. */
  resigned(encoded: Uint8Array): Uint8Array {
    const [tbs, algorithm] = readDerDocument(encoded).nodes[0]?.children ?? []
    if (tbs === undefined || algorithm === undefined) {
      throw new RangeError('Neither a certificate nor a list')
    }
    const signature = this.sign(tbs.raw)
    const halves = [signature.subarray(0, 32), signature.subarray(32)].map(half => int(number(half)))
    return seq(tbs.raw, algorithm.raw, bits(seq(...halves)))
  }
}

function multiplied(scalar: Uint8Array): Uint8Array {
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(scalar)
  return new Uint8Array(ecdh.getPublicKey().subarray(1))
}

function inverse(value: bigint): bigint {
  let [a, b, x, y] = [value, ORDER, 1n, 0n]
  while (b !== 0n) {
    const quotient = a / b
    ;[a, b, x, y] = [b, a - quotient * b, y, x - quotient * y]
  }
  return ((x % ORDER) + ORDER) % ORDER
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}
