import type { TdxCollateral } from '../../../src/attest/tdx/collateral.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import {
  makeCertificates,
  makeQuote,
  type PlatformInit,
  qeIdentityOf,
  tcbInfoOf
} from '../../unit/attest/tdx/made-platform.ts'
import { type CrlInit, type MadeCertificate, makeCrl, pemOf } from '../../unit/attest/x509/make-certificate.ts'
import { SeededKey } from '../seeded-key.ts'

const NAMES = ['root', 'ca', 'pck', 'tcbSigner'] as const

/** A platform under a root of its own, the same in every run. */
export class SeededPlatform {
  readonly keys = Object.fromEntries(NAMES.map(name => [name, new SeededKey(`fuzz ${name}`)])) as Record<
    (typeof NAMES)[number],
    SeededKey
  >
  readonly certificates: Record<(typeof NAMES)[number], MadeCertificate>
  readonly rootSha256: string
  readonly #attestationKey = new SeededKey('fuzz attestation key')

  constructor() {
    const { root, ca, tcbSigner, pck } = this.keys
    const made = makeCertificates({
      certificates: { root: { keys: root }, ca: { keys: ca }, pck: { keys: pck }, tcbSigner: { keys: tcbSigner } }
    })
    this.certificates = {
      root: resigned(made.root, root),
      ca: resigned(made.ca, root),
      pck: resigned(made.pck, ca),
      tcbSigner: resigned(made.tcbSigner, root)
    }
    this.rootSha256 = toHex(sha256(this.certificates.root.der))
  }

  get pckChain(): string {
    const { pck, ca, root } = this.certificates
    return pck.pem + ca.pem + root.pem
  }

  /** In force and without fault, but for what is given. */
  collateral(
    given: { tcbInfo?: string; qeIdentity?: string; rootCrl?: Uint8Array; pckCrl?: Uint8Array } = {}
  ): TdxCollateral {
    const { root, ca, tcbSigner } = this.certificates
    const { tcbInfo = JSON.stringify(tcbInfoOf()), qeIdentity = JSON.stringify(qeIdentityOf()) } = given
    return {
      pck_crl_issuer_chain: ca.pem + root.pem,
      root_ca_crl: toHex(given.rootCrl ?? this.crl('root')),
      pck_crl: toHex(given.pckCrl ?? this.crl('ca')),
      tcb_info_issuer_chain: tcbSigner.pem + root.pem,
      tcb_info: tcbInfo,
      tcb_info_signature: toHex(this.keys.tcbSigner.sign(Buffer.from(tcbInfo))),
      qe_identity_issuer_chain: tcbSigner.pem + root.pem,
      qe_identity: qeIdentity,
      qe_identity_signature: toHex(this.keys.tcbSigner.sign(Buffer.from(qeIdentity)))
    }
  }

  crl(issuer: 'root' | 'ca', init: Partial<CrlInit> = {}, signer: keyof typeof this.keys = issuer): Uint8Array {
    return this.keys[signer].resigned(makeCrl({ issuer: this.certificates[issuer], ...init }))
  }

  /** A quote that is signed for real, whatever `init` changes. */
  quote(init: Pick<PlatformInit, 'version' | 'header' | 'body' | 'qeReport'> = {}): Uint8Array {
    const { qeReport, version = 4, ...rest } = init
    const quote = Buffer.from(makeQuote({ version, ...rest }, this.pckChain, this.keys.pck.privateKey))
    const signedBytes = { 3: 432, 4: 632, 5: 702 }[version]
    const signature = signedBytes + 4
    const report = signature + 128 + (version === 3 ? 0 : 6)
    const authFrom = report + 384 + 64 + 2
    const authData = quote.subarray(authFrom, authFrom + quote.readUInt16LE(authFrom - 2))
    quote.set(this.#attestationKey.point, signature + 64)
    quote.set(sha256(this.#attestationKey.point, authData), report + 320)
    qeReport?.(quote.subarray(report, report + 384))
    quote.set(this.keys.pck.sign(quote.subarray(report, report + 384)), report + 384)
    quote.set(this.#attestationKey.sign(quote.subarray(0, signedBytes)), signature)
    return new Uint8Array(quote)
  }
}

/** A certificate that was made by `makeCertificate`, with a signature that is the same in every run. */
export function resigned(made: MadeCertificate, signer: SeededKey): MadeCertificate {
  const der = signer.resigned(made.der)
  return { ...made, der, pem: pemOf(der) }
}
