import assert from 'node:assert/strict'
import { readCollateral } from '../../../src/attest/tdx/collateral.ts'
import { DEFAULT_TDX_POLICY, type TdxPolicy } from '../../../src/attest/tdx/policy.ts'
import { parseQuote } from '../../../src/attest/tdx/quote.ts'
import { TCB_STATUSES } from '../../../src/attest/tdx/tcb-status.ts'
import { TdxVerifier, type VerifiedTdx } from '../../../src/attest/tdx/verifier.ts'
import { qeIdentityOf, tcbInfoOf } from '../../unit/attest/tdx/made-platform.ts'
import { mutateJson, readJsonDocument } from '../mutate-json.ts'
import type { FuzzRandom } from '../random.ts'
import type { Surface } from '../surface.ts'
import type { SeededPlatform } from './seeded-platform.ts'
import { MADE_NOW_MS } from './x509-seeds.ts'

/** Attributes, features and reports of a TD lie here in its body; what they may be is judged after all signatures. */
const BODY_FIELDS = [
  [0, 16],
  [16, 48],
  [64, 48],
  [112, 8],
  [120, 8],
  [128, 8],
  [136, 48],
  [328, 48],
  [584, 16],
  [600, 48]
] as const
const DAY_MS = 24 * 60 * 60_000

/**
 * Evidence that says odd things under signatures that hold, as no attacker without Intel's keys could make it: reaches what
 * is judged last. It may be accepted, but only for what the policy lets pass.
 */
export function signedTdxSurface(platform: SeededPlatform): Surface {
  const tcbInfos = [readJsonDocument(JSON.stringify(tcbInfoOf()))]
  const identities = [readJsonDocument(JSON.stringify(qeIdentityOf()))]
  const fresh = platform.quote()
  const known = readCollateral(platform.collateral())
  const sgx = readCollateral(
    platform.collateral({
      tcbInfo: JSON.stringify(tcbInfoOf({ version: 3 })),
      qeIdentity: JSON.stringify(qeIdentityOf({ version: 3 }))
    })
  )
  return {
    name: 'signed-tdx',
    weight: 12,
    feed: random => {
      const policy = anyPolicy(random)
      const given = random.below(3)
      const quote = given === 0 ? oddQuote(random, platform) : fresh
      const collateral =
        given === 0
          ? known
          : readCollateral(platform.collateral(given === 1 ? oddDocuments(random) : oddLists(random, platform)))
      const nowMs = MADE_NOW_MS + (random.below(6) === 0 ? (random.below(400) - 200) * DAY_MS : 0)
      const input = { quote, collateral, nowMs, policy, rootSha256: platform.rootSha256 }
      if (parseQuote(quote).version === 3) {
        const { attributes, tcbStatus } = new TdxVerifier(1).verifySgx({ ...input, collateral: sgx })
        assert.equal((attributes[0] ?? 2) & 2, 0, 'an enclave in debug mode holds')
        return `held ${tcbStatus}`
      }
      const verified = new TdxVerifier(1).verifyTdx(input)
      expectClosed(verified, policy)
      return `held ${verified.tcbStatus}`
    }
  }

  function oddDocuments(random: FuzzRandom): { tcbInfo?: string; qeIdentity?: string } {
    const text = Buffer.from(mutateJson(random, random.below(3) > 0 ? tcbInfos : identities))
      .toString('latin1')
      .replaceAll(/[^\x20-\x7e]/g, '?')
    const status = random.below(3) === 0 ? withStatus(random) : undefined
    return text.includes('miscselect') ? { qeIdentity: text || ' ' } : { tcbInfo: status ?? (text || ' ') }
  }
}

function oddLists(random: FuzzRandom, platform: SeededPlatform): { rootCrl?: Uint8Array; pckCrl?: Uint8Array } {
  const from =
    random.below(3) === 0
      ? { fromMs: MADE_NOW_MS - random.below(10) * DAY_MS, untilMs: MADE_NOW_MS + (random.below(10) - 4) * DAY_MS }
      : {}
  const init = {
    revoked: [1 + random.below(6)],
    ...from,
    ...(random.below(4) === 0 ? { issuerName: 'Someone else' } : {})
  }
  return random.below(2) === 0
    ? { rootCrl: platform.crl('root', init, random.below(5) === 0 ? 'ca' : 'root') }
    : { pckCrl: platform.crl('ca', init, random.below(5) === 0 ? 'root' : 'ca') }
}

function withStatus(random: FuzzRandom): string {
  const info = tcbInfoOf()
  const levels = info['tcbLevels'] as Array<Record<string, unknown>>
  const [first, ...rest] = levels
  const tcbStatus = random.pick([...TCB_STATUSES, 'Splendid'])
  return JSON.stringify({ ...info, tcbLevels: [{ ...first, tcbStatus, advisoryIDs: ['INTEL-SA-09999'] }, ...rest] })
}

function oddQuote(random: FuzzRandom, platform: SeededPlatform): Uint8Array {
  const overwrite = (bytes: Buffer, from: number, size: number): void => {
    const room = Math.min(size, bytes.length - from)
    for (let count = room > 0 ? 1 + random.below(2) : 0; count > 0; count--) {
      const at = from + random.below(room)
      bytes.writeUInt8(random.below(2) === 0 ? bytes.readUInt8(at) ^ (1 << random.below(8)) : random.below(256), at)
    }
  }
  const version = random.pick([3, 4, 4, 5, 5] as const)
  const [from, size] =
    version === 3 ? ([48, 1] as const) : random.below(3) === 0 ? ([120, 8] as const) : random.pick(BODY_FIELDS)
  const where = random.below(5)
  return platform.quote({
    version,
    ...(where < 3 ? { body: (body: Buffer) => overwrite(body, from, size) } : {}),
    ...(where === 3
      ? {
          qeReport: (report: Buffer) => overwrite(report, random.pick([0, 48, 128, 256, 320]), random.pick([4, 16, 64]))
        }
      : {}),
    ...(where === 4 ? { header: (header: Buffer) => overwrite(header, 0, 48) } : {})
  })
}

function anyPolicy(random: FuzzRandom): TdxPolicy {
  if (random.below(2) === 0) {
    return DEFAULT_TDX_POLICY
  }
  return {
    acceptedTcbStatuses: TCB_STATUSES.filter(status => status !== 'Revoked' && random.below(2) === 0),
    allowedTdAttributes: random.below(2) === 0 ? [] : ['perfmon', 'pks'],
    minTcbEvaluationDataNumber: random.pick([0, 17, 18]),
    ...(random.below(3) === 0 ? { acceptedAdvisories: ['INTEL-SA-00001'] } : {})
  }
}

/** Bits written out again, apart from the code that judges them. */
function expectClosed(td: VerifiedTdx, policy: TdxPolicy): void {
  const attributes = Buffer.from(td.tdAttributes).readBigUInt64LE()
  const allowed = policy.allowedTdAttributes.length > 0 ? 0x8000_0000_5000_0000n : 0x1000_0000n
  assert.equal(attributes & ~allowed, 0n, 'a TD with other attributes holds')
  assert.notEqual(attributes & 0x1000_0000n, 0n, 'a TD that lets its host make pages fault holds')
  assert.ok(
    td.seamAttributes.every(byte => byte === 0) && td.mrSignerSeam.every(byte => byte === 0),
    'another module holds'
  )
  assert.ok(td.mrServiceTd?.every(byte => byte === 0) ?? true, 'a TD with a service TD holds')
  assert.ok(
    td.tcbStatus !== 'Revoked' && policy.acceptedTcbStatuses.includes(td.tcbStatus),
    'a status that is not accepted holds'
  )
}
