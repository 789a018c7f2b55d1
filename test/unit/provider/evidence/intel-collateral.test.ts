import assert from 'node:assert/strict'
import { verify, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readCollateral, type TdxCollateral } from '../../../../src/attest/tdx/collateral.ts'
import { DEFAULT_TDX_POLICY } from '../../../../src/attest/tdx/policy.ts'
import { quotePlatform } from '../../../../src/attest/tdx/quote-platform.ts'
import { TdxVerifier } from '../../../../src/attest/tdx/verifier.ts'
import {
  type CheckedCollateral,
  type CollateralSubject,
  IntelService,
  type IntelServiceInit
} from '../../../../src/provider/evidence/intel-collateral.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { TEST_FMSPC, testTdxPlatform } from '../../../support/tdx-platform.ts'
import { pcsAnswers, type TestAnswer, useTestService } from '../../../support/tdx-platform-services.ts'

const NOW_MS = Date.UTC(2026, 5, 15)
const DAY_MS = 24 * 60 * 60_000
const SUBJECT = { fmspc: TEST_FMSPC, ca: 'platform' } as const
const TCB_PATH = `/tdx/certification/v4/tcb?fmspc=${TEST_FMSPC.toUpperCase()}`
const QE_PATH = '/tdx/certification/v4/qe/identity'
const PCK_CRL_PATH = '/sgx/certification/v4/pckcrl?ca=platform&encoding=der'

describe("Intel's service", () => {
  const server = useTestService()
  const platform = testTdxPlatform(NOW_MS)
  const service = (init: IntelServiceInit = {}) =>
    new IntelService({ baseUrl: `${server().url}/`, rootSha256: platform.rootSha256, ...init })

  const chainHeader = (): Record<string, string> => ({
    'SGX-Enclave-Identity-Issuer-Chain': encodeURIComponent(platform.collateral.qe_identity_issuer_chain)
  })

  /** Everything in order, but for what one path answers. */
  const answerWith = (path?: string, answer?: TestAnswer): void => {
    const answers = pcsAnswers(platform.collateral, { fmspc: TEST_FMSPC })
    server().answers = path === undefined ? answers : { ...answers, [path]: { ...answers[path], ...answer } }
  }

  for (const hex of [false, true]) {
    it(`gives collateral that holds, byte for byte, from lists ${hex ? 'in hex as a PCCS has them' : 'in DER'}`, async () => {
      server().answers = pcsAnswers(platform.collateral, { fmspc: TEST_FMSPC, hex })
      const { collateral, notAfterMs } = await service().fetch(SUBJECT, NOW_MS)
      assert.deepEqual(collateral, platform.collateral)
      assert.equal(notAfterMs, NOW_MS + 29 * DAY_MS - 1)
      assert.deepEqual(
        server().requests.toSorted(),
        [PCK_CRL_PATH, '/sgx/certification/v4/rootcacrl', TCB_PATH, QE_PATH].toSorted()
      )
    })
  }

  it('is asked for the list of the root at the address that it is given', async () => {
    answerWith()
    server().answers = {
      ...server().answers,
      '/IntelSGXRootCA.der': server().answers['/sgx/certification/v4/rootcacrl'] ?? {}
    }
    await service({ rootCrlUrl: `${server().url}/IntelSGXRootCA.der` }).fetch(SUBJECT, NOW_MS)
    assert.ok(server().requests.includes('/IntelSGXRootCA.der'))
    assert.ok(!server().requests.includes('/sgx/certification/v4/rootcacrl'))
  })

  it('that is Intel itself is asked at its own addresses', async () => {
    const asked: string[] = []
    const fetch = (async (url: string) => {
      asked.push(url)
      return new Response(null, { status: 500 })
    }) as unknown as typeof globalThis.fetch
    await assert.rejects(new IntelService({ fetch }).fetch(SUBJECT, NOW_MS), { code: 'COLLATERAL_UNREACHABLE' })
    assert.deepEqual(asked, [
      `https://api.trustedservices.intel.com${TCB_PATH}`,
      `https://api.trustedservices.intel.com${QE_PATH}`,
      `https://api.trustedservices.intel.com${PCK_CRL_PATH}`,
      'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'
    ])
  })

  const refusals: Array<[what: string, code: string, path: string, answer: TestAnswer]> = [
    ['does not know the platform', 'COLLATERAL_PLATFORM_UNKNOWN', TCB_PATH, { status: 404 }],
    ['is a PCCS whose cache lacks it', 'COLLATERAL_PLATFORM_UNKNOWN', TCB_PATH, { status: 461 }],
    ['fails', 'COLLATERAL_UNREACHABLE', QE_PATH, { status: 503 }],
    ['asks for patience', 'COLLATERAL_UNREACHABLE', QE_PATH, { status: 429 }],
    ['answers with garbage', 'COLLATERAL_ANSWER_INVALID', TCB_PATH, { body: 'garbage' }],
    ['answers with nothing', 'COLLATERAL_ANSWER_INVALID', TCB_PATH, { body: '' }],
    ['answers unsigned', 'COLLATERAL_ANSWER_INVALID', QE_PATH, { body: '{"enclaveIdentity":{},"signature":""}' }],
    ['answers with a garbled list', 'COLLATERAL_ANSWER_INVALID', PCK_CRL_PATH, { body: Buffer.from('3000', 'hex') }],
    ['answers with no list', 'COLLATERAL_ANSWER_INVALID', PCK_CRL_PATH, { body: 'no list' }],
    ['keeps the chain to itself', 'COLLATERAL_ANSWER_INVALID', QE_PATH, { headers: {} }],
    [
      'does not encode the chain',
      'COLLATERAL_ANSWER_INVALID',
      QE_PATH,
      { headers: { 'SGX-Enclave-Identity-Issuer-Chain': '%E0%A4%A' } }
    ],
    [
      'answers with another text than was signed',
      'COLLATERAL_ANSWER_REFUSED',
      TCB_PATH,
      {
        body: `{"tcbInfo":${platform.collateral.tcb_info.replace('"pcesvn":11', '"pcesvn":10')},"signature":"${platform.collateral.tcb_info_signature}"}`
      }
    ]
  ]
  for (const [what, code, path, answer] of refusals) {
    it(`that ${what}: ${code}`, async () => {
      answerWith(path, answer)
      await assert.rejects(service().fetch(SUBJECT, NOW_MS), { code })
    })
  }

  it('that sends elsewhere, even to the right answer: COLLATERAL_UNREACHABLE', async () => {
    answerWith(QE_PATH, { status: 302, headers: { location: '/moved' } })
    const { answers } = server()
    server().answers = { ...answers, '/moved': { ...answers[QE_PATH], status: 200, headers: chainHeader() } }
    await assert.rejects(service().fetch(SUBJECT, NOW_MS), { code: 'COLLATERAL_UNREACHABLE' })
    assert.ok(!server().requests.includes('/moved'))
  })

  it('that answers too much, even if the right answer is in it: COLLATERAL_ANSWER_INVALID', async () => {
    answerWith()
    const { body } = server().answers[QE_PATH] ?? {}
    assert.ok(typeof body === 'string')
    answerWith(QE_PATH, { body: `${body}${'\n'.repeat(100)}` })
    await service().fetch(SUBJECT, NOW_MS)
    answerWith(QE_PATH, { body: `${body}${'\n'.repeat(600 * 1024)}` })
    await assert.rejects(service().fetch(SUBJECT, NOW_MS), { code: 'COLLATERAL_ANSWER_INVALID' })
  })

  it('that is silent, or not there: COLLATERAL_UNREACHABLE', async () => {
    answerWith(QE_PATH, { silent: true })
    await assert.rejects(service({ timeLimitMs: 200 }).fetch(SUBJECT, NOW_MS), { code: 'COLLATERAL_UNREACHABLE' })
    await assert.rejects(service({ baseUrl: 'http://127.0.0.1:1' }).fetch(SUBJECT, NOW_MS), {
      code: 'COLLATERAL_UNREACHABLE'
    })
  })

  it('that answers about another platform: COLLATERAL_ANSWER_MISMATCH', async () => {
    const fmspc = '00906ed50000'
    server().answers = pcsAnswers(platform.collateral, { fmspc })
    await assert.rejects(service().fetch({ fmspc, ca: 'platform' }, NOW_MS), { code: 'COLLATERAL_ANSWER_MISMATCH' })
    server().answers = pcsAnswers(platform.collateral, { fmspc: TEST_FMSPC, ca: 'processor' })
    await assert.rejects(service().fetch({ fmspc: TEST_FMSPC, ca: 'processor' }, NOW_MS), {
      code: 'COLLATERAL_ANSWER_MISMATCH'
    })
  })

  it('that answers with what is past its end, or not there yet: COLLATERAL_ANSWER_EXPIRED', async () => {
    answerWith()
    for (const nowMs of [NOW_MS + 30 * DAY_MS, NOW_MS - 2 * DAY_MS]) {
      await assert.rejects(service().fetch(SUBJECT, nowMs), { code: 'COLLATERAL_ANSWER_EXPIRED' })
    }
  })

  it("that is signed by nobody of Intel's: COLLATERAL_ANSWER_REFUSED", async () => {
    answerWith()
    const intel = new IntelService({ baseUrl: server().url })
    await assert.rejects(intel.fetch(SUBJECT, NOW_MS), { code: 'COLLATERAL_ANSWER_REFUSED' })
  })

  it('is left alone when its caller stops', async () => {
    answerWith(QE_PATH, { silent: true })
    const controller = new AbortController()
    const fetching = service().fetch(SUBJECT, NOW_MS, { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    await assert.rejects(fetching, { code: 'CANCELLED' })
  })

  const recorded = sharedPath('vectors', 'attestation', 'tdx')
  if (recorded !== undefined) {
    const quote = new Uint8Array(readFileSync(`${recorded}/phala-tdx-v4.quote.bin`))
    const collateral = readCollateral(JSON.parse(readFileSync(`${recorded}/phala-tdx-v4.collateral.json`, 'utf8')))
    const nowMs = 1_750_332_747_000

    it('gives what a recorded quote of real hardware needs, under the root of Intel', async () => {
      const { fmspc, ca } = quotePlatform(quote)
      assert.deepEqual([fmspc, ca], ['b0c06f000000', 'platform'])
      server().answers = pcsAnswers(collateral, { fmspc, ca })
      const fetched = await new IntelService({ baseUrl: server().url }).fetch({ fmspc, ca }, nowMs)
      assert.deepEqual(fetched.collateral, collateral)
      const td = new TdxVerifier().verifyTdx({ quote, nowMs, policy: DEFAULT_TDX_POLICY, ...fetched })
      assert.equal(td.tcbStatus, 'UpToDate')
    })

    it('is read in the form in which it answered once: the signed text is cut out as it is', async () => {
      const raw = readFileSync(`${recorded}/google-tdx-v5-td15.tcbinfo-response.json`, 'utf8')
      server().answers = {
        ...pcsAnswers(collateral, { fmspc: '90c06f000000' }),
        '/tdx/certification/v4/tcb': {
          body: raw,
          headers: { 'SGX-TCB-Info-Issuer-Chain': encodeURIComponent(collateral.tcb_info_issuer_chain) }
        }
      }
      const seen: TdxCollateral[] = []
      class Watched extends IntelService {
        override check(given: TdxCollateral, ...rest: [CollateralSubject, number]): CheckedCollateral {
          seen.push(given)
          return super.check(given, ...rest)
        }
      }
      // As a whole it is refused: the lists beside it were recorded half a year before.
      const asked = new Watched({ baseUrl: server().url })
      await assert.rejects(asked.fetch({ fmspc: '90c06f000000', ca: 'platform' }, Date.UTC(2026, 1, 10)), {
        code: 'COLLATERAL_ANSWER_EXPIRED'
      })
      const key = {
        key: new X509Certificate(collateral.tcb_info_issuer_chain).publicKey,
        dsaEncoding: 'ieee-p1363'
      } as const
      const { tcb_info = '', tcb_info_signature = '' } = seen[0] ?? {}
      assert.ok(verify('sha256', Buffer.from(tcb_info), key, Buffer.from(tcb_info_signature, 'hex')))
    })
  }
})
