import type { HpkeKeyPair, Kem, SealSuite } from './kem.ts'
import { generateHpkeKeyPair, X25519_KEM } from './x25519-kem.ts'
import { generateXWingKeyPair, XWING_KEM } from './xwing-kem.ts'

/** The key encapsulation of each suite. */
export const KEMS: Readonly<Record<SealSuite, Kem>> = { x25519: X25519_KEM, xwing: XWING_KEM }

/** A fresh key pair of a suite, from the system's randomness. */
export function generateSealKeyPair(suite: SealSuite): HpkeKeyPair {
  return suite === 'xwing' ? generateXWingKeyPair() : generateHpkeKeyPair()
}
