import { createHash, randomBytes } from 'node:crypto'
import { CocoonError } from '../core/errors.ts'
import type { HpkeKeyPair, Kem } from './kem.ts'
import { expectLength } from './length.ts'
import { ML_KEM_768, mlKemDecapsulate, mlKemEncapsulate, mlKemKeyPair } from './ml-kem.ts'
import { wipe } from './wipe.ts'
import { generateX25519, importX25519, X25519_BYTES, x25519 } from './x25519.ts'

// draft-connolly-cfrg-xwing-kem §5: X25519 and ML-KEM-768 under one SHA3-256.
const LABEL = Buffer.from('5c2e2f2f5e5c', 'hex')
const SEED_BYTES = 32
const EXPANDED_BYTES = ML_KEM_768.keySeed + X25519_BYTES

/** The KEM 0x647a of draft-ietf-hpke-pq. */
export const XWING_KEM: Kem = {
  id: 0x647a,
  publicKeyBytes: ML_KEM_768.publicKey + X25519_BYTES,
  encBytes: ML_KEM_768.ciphertext + X25519_BYTES,
  seedBytes: ML_KEM_768.encapsulationSeed + X25519_BYTES,
  encapsulate: (publicKey, given) => {
    expectLength('Recipient key', publicKey, XWING_KEM.publicKeyBytes)
    const [latticeKey, curveKey] = split(publicKey, ML_KEM_768.publicKey)
    const seed = given ?? randomBytes(XWING_KEM.seedBytes)
    const [latticeSeed, curveSeed] = split(seed, ML_KEM_768.encapsulationSeed)
    const ephemeral = given === undefined ? generateX25519() : importX25519(curveSeed)
    const point = x25519(ephemeral.privateKey, 'Recipient key', curveKey)
    const lattice = mlKemEncapsulate(latticeKey, latticeSeed)
    if (given === undefined) {
      wipe(seed)
    }
    return {
      enc: new Uint8Array(Buffer.concat([lattice.ciphertext, ephemeral.publicKey])),
      sharedSecret: combine(lattice.sharedSecret, point, ephemeral.publicKey, curveKey)
    }
  }
}

/**
 * A key pair of its 32-byte seed, which is the whole private key; the caller wipes it.
 *
 * @throws {PeerError} `SEAL_LENGTH_INVALID`
 */
export function xwingKeyPair(seed: Uint8Array): HpkeKeyPair {
  expectLength('X-Wing seed', seed, SEED_BYTES)
  const expanded = createHash('shake256', { outputLength: EXPANDED_BYTES }).update(seed).digest()
  try {
    return new XWingKeyPair(expanded)
  } finally {
    wipe(expanded)
  }
}

/** A fresh key pair from the system's randomness. */
export function generateXWingKeyPair(): HpkeKeyPair {
  const seed = randomBytes(SEED_BYTES)
  try {
    return xwingKeyPair(seed)
  } finally {
    wipe(seed)
  }
}

class XWingKeyPair implements HpkeKeyPair {
  readonly suite = 'xwing'
  readonly publicKey: Uint8Array
  readonly #latticeKey: Uint8Array
  readonly #curvePublicKey: Uint8Array
  #curveKey: ReturnType<typeof importX25519>['privateKey'] | undefined

  constructor(expanded: Uint8Array) {
    const [latticeSeed, curveSecret] = split(expanded, ML_KEM_768.keySeed)
    const lattice = mlKemKeyPair(latticeSeed)
    const curve = importX25519(curveSecret)
    this.publicKey = new Uint8Array(Buffer.concat([lattice.publicKey, curve.publicKey]))
    this.#latticeKey = lattice.secretKey
    this.#curvePublicKey = curve.publicKey
    this.#curveKey = curve.privateKey
  }

  decapsulate(enc: Uint8Array): Uint8Array {
    if (this.#curveKey === undefined) {
      throw new CocoonError('internal', 'SEAL_KEY_WIPED', 'This key pair was wiped')
    }
    expectLength('Encapsulated key', enc, XWING_KEM.encBytes)
    const [ciphertext, ephemeral] = split(enc, ML_KEM_768.ciphertext)
    const point = x25519(this.#curveKey, 'Encapsulated key', ephemeral)
    return combine(mlKemDecapsulate(ciphertext, this.#latticeKey), point, ephemeral, this.#curvePublicKey)
  }

  wipe(): void {
    wipe(this.#latticeKey)
    this.#curveKey = undefined
  }
}

/** Wipes both secrets it was given. */
function combine(lattice: Uint8Array, point: Uint8Array, ephemeral: Uint8Array, curveKey: Uint8Array): Uint8Array {
  const hash = createHash('sha3-256')
  for (const part of [lattice, point, ephemeral, curveKey, LABEL]) {
    hash.update(part)
  }
  wipe(lattice, point)
  return new Uint8Array(hash.digest())
}

function split(bytes: Uint8Array, at: number): [Uint8Array, Uint8Array] {
  return [bytes.subarray(0, at), bytes.subarray(at)]
}
