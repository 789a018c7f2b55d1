import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalBytes } from '../../../src/attest/document.ts'
import { encodeStatement, encodeStoredAttestation, makeSimulatedEvidence } from '../../../src/attest/index.ts'
import { parseAttestationPolicy } from '../../../src/config/attestation-policy.ts'
import { projectRoot } from '../../support/shared-data.ts'
import { measuredImage, testTdxPlatform } from '../../support/tdx-platform.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { NOW_MS, STATEMENT } from '../attest/fixtures.ts'

const SCRIPT = join(projectRoot(), 'deploy', 'tdx-guest', 'policy-entry.js')

describe('an entry of a policy, read from a guest', () => {
  const folder = useTempFolder()

  function entryOf(evidence: Uint8Array): { status: number | null; stdout: string; stderr: string } {
    const file = join(folder(), 'attestation.json')
    const stored = {
      statement: encodeStatement({ ...STATEMENT, tier: 'tdx' }),
      evidence,
      peerSignature: new Uint8Array(64),
      fetchedAtMs: NOW_MS
    }
    writeFileSync(file, encodeStoredAttestation(stored))
    return spawnSync(process.execPath, [SCRIPT, file, 'mine'], { encoding: 'utf8' })
  }

  it('is one that the policy takes, with what the quote says', () => {
    const platform = testTdxPlatform(NOW_MS)
    const quote = Buffer.from(platform.quote({ reportData: new Uint8Array(64) })).toString('base64')
    const evidence = canonicalBytes({ type: 'tdx', version: 1, quote, collateral: platform.collateral })
    const { status, stdout, stderr } = entryOf(evidence)
    assert.equal(status, 0, stderr)
    const policy = parseAttestationPolicy(JSON.stringify({ version: 1, images: [JSON.parse(stdout)] }), 'here')
    const { bundleDigest } = STATEMENT.software
    assert.deepEqual(policy.images, [{ ...measuredImage(), name: 'mine', bundleDigest }])
  })

  it('is not made of simulated evidence', () => {
    const { status, stdout } = entryOf(
      makeSimulatedEvidence({ bundleDigest: new Uint8Array(32), reportData: new Uint8Array(64) })
    )
    assert.deepEqual([status, stdout], [1, ''])
  })
})
