import { readFileSync } from 'node:fs'
import { readCollateral, type TdxCollateral } from '../../../src/attest/tdx/collateral.ts'
import { DEFAULT_TDX_POLICY } from '../../../src/attest/tdx/policy.ts'
import { parseQuote } from '../../../src/attest/tdx/quote.ts'
import type { VerifyTdxInput } from '../../../src/attest/tdx/verifier.ts'
import { parseCrl } from '../../../src/attest/x509/crl.ts'
import { splitPem } from '../../../src/attest/x509/pem.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import { attestationCases } from '../../attest-diff/attestation-cases.ts'
import { sharedPath } from '../../support/shared-data.ts'
import { qeIdentityOf, tcbInfoOf } from '../../unit/attest/tdx/made-platform.ts'
import { readDerDocument } from '../mutate-der.ts'
import type { LaidOut } from '../mutate-fields.ts'
import { type JsonDocument, readJsonDocument } from '../mutate-json.ts'
import type { SeededPlatform } from './seeded-platform.ts'
import { MADE_NOW_MS } from './x509-seeds.ts'

/** A quote that holds, with all that it takes. */
export type SoundQuote = VerifyTdxInput & { readonly kind: 'tdx' | 'sgx'; readonly rootSha256: string }

/** Quotes, collateral and event logs: recorded ones where they are at hand, made ones always. */
export class TdxSeeds {
  /** Quotes that hold. */
  readonly sound: readonly SoundQuote[]
  readonly quotes: readonly LaidOut[]
  readonly collaterals: readonly JsonDocument[]
  readonly tcbInfos: readonly JsonDocument[]
  readonly qeIdentities: readonly JsonDocument[]
  readonly eventLogs: readonly LaidOut[]
  /** SHA-256 of signed bodies of quotes that hold, hex. */
  readonly genuine: ReadonlySet<string>
  /** What stands signed in the collateral of those, in a form that leaves signatures out. */
  readonly genuineParts: ReadonlySet<string>

  constructor(platform: SeededPlatform, eventLogs: readonly Uint8Array[]) {
    const collateral = readCollateral(platform.collateral())
    const made = (version: 4 | 5): SoundQuote => ({
      kind: 'tdx',
      quote: platform.quote({ version }),
      collateral,
      nowMs: MADE_NOW_MS,
      rootSha256: platform.rootSha256,
      policy: DEFAULT_TDX_POLICY
    })
    const cases = attestationCases() ?? []
    const recorded = cases
      .filter(({ expected }) => !expected.startsWith('ATTESTATION_'))
      .map(({ kind, quote, collateral: fields, nowMs, root, policy }) => ({
        kind,
        quote,
        collateral: readCollateral(fields),
        nowMs,
        rootSha256: toHex(sha256(root)),
        policy
      }))
    this.sound = [made(4), made(5), ...recorded]
    this.quotes = [...this.sound, ...cases, { quote: platform.quote({ version: 3 }) }].map(({ quote }) =>
      quoteLayout(quote)
    )
    const texts = [...this.sound, ...cases].map(one => one.collateral as TdxCollateral)
    this.collaterals = texts.map(fields => readJsonDocument(JSON.stringify(fields)))
    this.tcbInfos = [JSON.stringify(tcbInfoOf()), ...texts.map(fields => fields.tcb_info)].map(readJsonDocument)
    this.qeIdentities = [JSON.stringify(qeIdentityOf()), ...texts.map(fields => fields.qe_identity)].map(
      readJsonDocument
    )
    this.eventLogs = [...eventLogs, ...recordedLogs()].map(logLayout)
    this.genuine = new Set(this.sound.map(({ quote }) => toHex(sha256(parseQuote(quote).signedBytes))))
    this.genuineParts = new Set(this.sound.flatMap(one => signedParts(one.collateral)))
  }
}

/** All that is signed in collateral, each piece as text. */
export function signedParts(collateral: TdxCollateral): string[] {
  const chains = [
    collateral.pck_crl_issuer_chain,
    collateral.tcb_info_issuer_chain,
    collateral.qe_identity_issuer_chain
  ]
  return [
    `tcb ${collateral.tcb_info}`,
    `qe ${collateral.qe_identity}`,
    ...[collateral.root_ca_crl, collateral.pck_crl].map(hex => `crl ${toHex(parseCrl(Buffer.from(hex, 'hex')).tbs)}`),
    ...chains
      .flatMap(pem => splitPem(pem, 3))
      .map(der => `certificate ${toHex(readDerDocument(der).nodes[0]?.children[0]?.raw ?? der)}`)
  ]
}

function quoteLayout(bytes: Uint8Array): LaidOut {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint16(0, true)
  const signedBytes = version === 3 ? 432 : version === 4 ? 632 : view.getUint16(48, true) === 2 ? 638 : 702
  const report = signedBytes + 4 + 128 + (version === 3 ? 0 : 6)
  const auth = report + 384 + 64
  const chain = auth + 2 + view.getUint16(auth, true)
  const numbers: Array<readonly [number, number]> = [
    [0, 2],
    [2, 2],
    [4, 4],
    [8, 4],
    [12, 1],
    [signedBytes, 4],
    [auth, 2],
    [chain, 2],
    [chain + 2, 4]
  ]
  if (version !== 3) {
    numbers.push([report - 6, 2], [report - 4, 4])
  }
  if (version === 5) {
    numbers.push([48, 2], [50, 4])
  }
  return { bytes, numbers }
}

function recordedLogs(): Uint8Array[] {
  const path = sharedPath('vectors', 'attestation', 'tdx', 'google-cos113-ccel.first18432.bin')
  return path === undefined ? [] : [new Uint8Array(readFileSync(path))]
}

/** Header, then events: register, type, count of digests, digests, size. */
function logLayout(bytes: Uint8Array): LaidOut {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const numbers: Array<readonly [number, number]> = [
    [0, 4],
    [4, 4],
    [28, 4],
    [32, 1],
    [56, 4],
    [60, 2],
    [62, 2]
  ]
  let at = 32 + view.getUint32(28, true)
  numbers.push([at - 1, 1])
  while (at + 66 < bytes.length && view.getUint32(at + 8, true) === 1) {
    numbers.push([at, 4], [at + 4, 4], [at + 8, 4], [at + 12, 2], [at + 62, 4])
    at += 66 + view.getUint32(at + 62, true)
  }
  return { bytes, numbers }
}
