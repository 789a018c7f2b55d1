import { generateKeyPairSync, sign } from 'node:crypto'
import { DEFAULT_SNP_POLICY } from '../../../../src/attest/snp/policy.ts'
import { AMD_ROOTS, type SnpRoots } from '../../../../src/attest/snp/product.ts'
import type { SnpSigner } from '../../../../src/attest/snp/report.ts'
import type { VerifySnpReportInput } from '../../../../src/attest/snp/verify.ts'
import { sha256, toHex } from '../../../../src/core/bytes.ts'
import { der, int } from '../x509/der-writer.ts'
import {
  type CertificateInit,
  type CrlInit,
  type MadeCertificate,
  type MadeExtension,
  makeCertificate,
  makeCrl
} from '../x509/make-certificate.ts'
import { blankReport, repeated } from './blank-report.ts'

export const MADE_SNP_NOW_MS = Date.UTC(2026, 5, 15)

/** Serial numbers as AMD gives them: a key that signs reports has none of its own. */
export const MADE_SERIALS = { ark: 0x02_0000, ask: 0x02_0002, leaf: 0 } as const

const ARC = '1.3.6.1.4.1.3704.1.'
const CLOUD_ID = 'CN=a cloud of the tests'
const CHIP_ID = repeated(0xc1, 64)
/** Boot loader, TEE, four reserved, SNP, microcode. */
const TCB = [9, 0, 0, 0, 0, 0, 21, 72] as const

const reportKeys = generateKeyPairSync('ec', { namedCurve: 'P-384' })
let rsaKeys: { ark: CertificateKeys; ask: CertificateKeys } | undefined

type CertificateKeys = NonNullable<CertificateInit['keys']>

export interface MadeSnpPlatformInit {
  /** @default vcek */
  readonly signer?: SnpSigner
  /** Of root and intermediate. @default RSA keys, the same for all */
  readonly keys?: { readonly ark: CertificateKeys; readonly ask: CertificateKeys }
  readonly certificates?: Partial<Record<'ark' | 'ask' | 'leaf', Partial<CertificateInit>>>
  /** @default a new one */
  readonly root?: MadeCertificate
}

/**
 * An EPYC Genoa whose root is the test's own, signed for real link by link; never accepted under AMD's. Everything it gives
 * is accepted unless a test says otherwise.
 */
export class MadeSnpPlatform {
  readonly signer: SnpSigner
  readonly made: Readonly<Record<'ark' | 'ask' | 'leaf', MadeCertificate>>
  readonly roots: SnpRoots

  constructor({ signer = 'vcek', keys = sharedKeys(), certificates = {}, root }: MadeSnpPlatformInit = {}) {
    const authority = { ca: true, keyUsage: [5, 6] }
    const ark =
      root ??
      makeCertificate({
        subject: 'ARK-Genoa',
        serial: MADE_SERIALS.ark,
        keys: keys.ark,
        ...authority,
        ...certificates.ark
      })
    const ask = makeCertificate({
      subject: signer === 'vcek' ? 'SEV-Genoa' : 'SEV-VLEK-Genoa',
      serial: MADE_SERIALS.ask,
      keys: keys.ask,
      issuer: ark,
      ...authority,
      pathLength: 0,
      ...certificates.ask
    })
    const leaf = makeCertificate({
      subject: signer === 'vcek' ? 'SEV-VCEK' : 'SEV-VLEK',
      serial: MADE_SERIALS.leaf,
      keys: reportKeys,
      issuer: ask,
      extensions: endorsement(signer),
      ...certificates.leaf
    })
    this.signer = signer
    this.made = { ark, ask, leaf }
    this.roots = { ...AMD_ROOTS, genoa: toHex(sha256(ark.der)) }
  }

  get certificates(): VerifySnpReportInput['certificates'] {
    const { ark, ask, leaf } = this.made
    return { leaf: leaf.der, ask: ask.der, ark: ark.der }
  }

  /** The root's own list, of the time that its certificates have. */
  crl(init: Partial<CrlInit> = {}): Uint8Array {
    return makeCrl({ issuer: this.made.ark, ...init })
  }

  /** A report of a guest with that report data (64 bytes), signed after `change`. */
  report(
    reportData: Uint8Array = new Uint8Array(64),
    change: (report: Uint8Array) => void = () => undefined
  ): Uint8Array {
    const report = blankReport({
      0: [3],
      0x38: TCB,
      0x48: [this.signer === 'vcek' ? 0 : 1 << 2],
      0x50: [...reportData],
      0x90: repeated(0x3e, 48),
      0x180: TCB,
      0x188: [0x19, 0x11, 1],
      0x1a0: CHIP_ID,
      0x1e0: TCB,
      0x1f0: TCB
    })
    change(report)
    const key = { key: reportKeys.privateKey, dsaEncoding: 'ieee-p1363' } as const
    const signature = sign('sha384', report.subarray(0, 0x2a0), key)
    report.set(signature.subarray(0, 48).reverse(), 0x2a0)
    report.set(signature.subarray(48).reverse(), 0x2e8)
    return report
  }

  input(changes: Partial<VerifySnpReportInput> = {}): VerifySnpReportInput {
    return {
      report: this.report(),
      certificates: this.certificates,
      crl: this.crl(),
      nowMs: MADE_SNP_NOW_MS,
      policy: DEFAULT_SNP_POLICY,
      roots: this.roots,
      ...changes
    }
  }
}

function sharedKeys(): NonNullable<typeof rsaKeys> {
  const generate = (): CertificateKeys => generateKeyPairSync('rsa', { modulusLength: 2048 })
  rsaKeys ??= { ark: generate(), ask: generate() }
  return rsaKeys
}

function endorsement(signer: SnpSigner): MadeExtension[] {
  const text = (value: string): Uint8Array => der(0x16, Buffer.from(value))
  const [bootLoader, tee, , , , , snp, microcode] = TCB
  const values: Array<[string, Uint8Array]> = [
    ['1', int(0)],
    ['2', text('Genoa')],
    ['3.1', int(bootLoader)],
    ['3.2', int(tee)],
    ['3.3', int(snp)],
    ...['3.4', '3.5', '3.6', '3.7'].map((name): [string, Uint8Array] => [name, int(0)]),
    ['3.8', int(microcode)],
    signer === 'vcek' ? ['4', Uint8Array.from(CHIP_ID)] : ['5', text(CLOUD_ID)]
  ]
  return values.map(([name, value]) => ({ oid: ARC + name, value }))
}
