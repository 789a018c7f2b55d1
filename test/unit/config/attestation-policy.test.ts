import assert from 'node:assert/strict'
import { DEFAULT_POLICY } from '../../../src/attest/index.ts'
import { attestationPolicyJsonSchema, parseAttestationPolicy } from '../../../src/config/index.ts'
import { policyOf } from '../../../src/node/attestation-policy.ts'

const DIGEST = 'ab'.repeat(32)
const REGISTER = 'cd'.repeat(48)
const IMAGE = {
  tier: 'tdx',
  name: 'cocoon 0.1',
  mrTd: REGISTER,
  rtmr0: REGISTER,
  rtmr1: REGISTER,
  rtmr2: REGISTER,
  bundleDigest: DIGEST
}

const parse = (value: unknown) => parseAttestationPolicy(JSON.stringify(value), 'policy.json')

const refused = (value: unknown, code: string) =>
  assert.throws(() => parse(value), { code }, JSON.stringify(value).slice(0, 80))

describe('attestation policy file', () => {
  it('with nothing in it is the default policy, which accepts no image', () => {
    assert.deepEqual(policyOf(parse({ version: 1 })), DEFAULT_POLICY)
  })

  it('says what it says, and the rest is the default', () => {
    const policy = policyOf(
      parse({
        version: 1,
        acceptedTiers: ['tdx', 'snp'],
        images: [IMAGE, { tier: 'snp', name: 'cocoon 0.1', measurement: REGISTER, bundleDigest: DIGEST }],
        tdx: { acceptedTcbStatuses: ['UpToDate', 'SWHardeningNeeded'], acceptedAdvisories: ['INTEL-SA-00837'] },
        snp: { minimumTcb: { genoa: { microcode: 84 } }, requiredPlatform: ['aliasCheckComplete'] },
        gpu: { driverVersions: ['550.90.07'] },
        deny: { fmspcs: ['b0c06f000000'] },
        maxStatementAgeMinutes: 90
      })
    )
    assert.deepEqual(policy.images[0], { ...IMAGE, rtmr3: '00'.repeat(48) })
    assert.deepEqual(policy.snp.minimumTcb, { genoa: { fmc: 0, bootLoader: 0, tee: 0, snp: 0, microcode: 84 } })
    assert.equal(policy.maxStatementAgeMs, 5_400_000)
    assert.deepEqual(policy.deny, { bundleDigests: [], peerIds: [], fmspcs: ['b0c06f000000'] })
    assert.deepEqual(policy.gpu, { driverVersions: ['550.90.07'] })
  })

  it('keeps an empty list empty: it denies', () => {
    const policy = policyOf(
      parse({ version: 1, acceptedTiers: [], tdx: { acceptedTcbStatuses: [] }, snp: { minimumTcb: {}, vmpls: [] } })
    )
    assert.deepEqual(policy.acceptedTiers, [])
    assert.deepEqual(policy.tdx.acceptedTcbStatuses, [])
    assert.deepEqual([policy.snp.minimumTcb, policy.snp.vmpls], [{}, []])
  })

  it('is refused where it says what is not understood', () => {
    refused({}, 'POLICY_INVALID')
    refused({ version: 2 }, 'POLICY_INVALID')
    refused({ version: 1, tiers: [] }, 'POLICY_UNKNOWN_KEY')
    refused({ version: 1, acceptedTiers: ['simulated'] }, 'POLICY_INVALID')
    refused({ version: 1, images: [{ ...IMAGE, mrTd: REGISTER.toUpperCase() }] }, 'POLICY_INVALID')
    refused({ version: 1, images: [{ ...IMAGE, rtmr1: undefined }] }, 'POLICY_INVALID')
    refused({ version: 1, images: [{ ...IMAGE, tier: 'sgx' }] }, 'POLICY_INVALID')
    refused({ version: 1, images: [{ ...IMAGE, measurement: REGISTER }] }, 'POLICY_UNKNOWN_KEY')
    refused({ version: 1, tdx: { acceptedTcbStatuses: ['Revoked'] } }, 'POLICY_INVALID')
    refused({ version: 1, snp: { minimumTcb: { naples: {} } } }, 'POLICY_UNKNOWN_KEY')
    refused({ version: 1, maxStatementAgeMinutes: 0 }, 'POLICY_INVALID')
    assert.throws(() => parseAttestationPolicy('{', 'policy.json'), { code: 'POLICY_INVALID' })
  })

  it('has a JSON Schema that names every setting', () => {
    const schema = JSON.stringify(attestationPolicyJsonSchema())
    for (const name of ['acceptedTiers', 'rtmr2', 'minTcbEvaluationDataNumber', 'requiredPlatform', 'vbiosVersions']) {
      assert.ok(schema.includes(`"${name}"`), name)
    }
  })
})
