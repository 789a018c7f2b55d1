import assert from 'node:assert/strict'
import { findCandidates } from '../../../src/client/directory.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import type { CandidateNeeds } from '../../../src/market/index.ts'
import type { Capacity } from '../../../src/mesh/index.ts'
import { sampleCapacity } from '../mesh/samples.ts'
import { FakeMesh } from './mesh-fixture.ts'

const MODEL = toHex(new Uint8Array(32).fill(7))
const NEEDS: CandidateNeeds = {
  tiers: ['simulated'],
  maxPrices: { promptPerMTokens: nanoTon(100n), completionPerMTokens: nanoTon(400n) },
  globalId: -3
}

function find(
  records: Capacity[],
  needs: Partial<CandidateNeeds> = {},
  enough = 3,
  running?: (peerId: string) => number
) {
  const mesh = new FakeMesh()
  mesh.records = records
  const options = { timeoutMs: 1_000, enough, ...(running === undefined ? {} : { running }) }
  return { mesh, found: findCandidates(mesh.asMesh(), MODEL, { ...NEEDS, ...needs }, options) }
}

describe('directory', () => {
  it('ranks usable providers by what their records say of the model', async () => {
    const model = sampleCapacity('a').models[0]
    assert.ok(model)
    const slow = sampleCapacity('slow', { models: [{ ...model, tokensPerSecond: 1 }] })
    const fast = sampleCapacity('fast', {
      models: [
        { ...model, digest: new Uint8Array(32), tokensPerSecond: 1 },
        { ...model, tokensPerSecond: 900 }
      ]
    })
    const dear = sampleCapacity('dear', { prices: { ...slow.prices, promptPerMTokens: nanoTon(101n) } })
    const { found } = find([slow, dear, fast])
    const candidates = await found
    assert.deepEqual(
      candidates.map(({ peerId, tokensPerSecond }) => [peerId, tokensPerSecond]),
      [
        ['fast', 900],
        ['slow', 1]
      ]
    )
    assert.equal(candidates[0]?.capacity, fast)
  })

  it('stops as soon as it found enough of them', async () => {
    const records = ['a', 'b', 'c', 'd'].map(id => sampleCapacity(id, id === 'a' ? { tier: 'tdx' } : {}))
    const { mesh, found } = find(records, {}, 2)
    assert.equal((await found).length, 2)
    assert.equal(mesh.recordsRead, 3)
  })

  it('counts places that this client takes itself as taken', async () => {
    const records = [
      sampleCapacity('busy', { slotsTotal: 2, slotsFree: 2 }),
      sampleCapacity('idle', { slotsTotal: 2, slotsFree: 2 })
    ]
    const { mesh, found } = find(records, {}, 1, peerId => (peerId === 'busy' ? 2 : 1))
    assert.deepEqual(
      (await found).map(({ peerId, slotsFree }) => [peerId, slotsFree]),
      [
        ['idle', 2],
        ['busy', 0]
      ]
    )
    assert.equal(mesh.recordsRead, 2)
  })

  it('says when nobody has the model', async () => {
    await assert.rejects(find([]).found, { code: 'NO_PROVIDERS', errorClass: 'network' })
  })

  it('says why nobody of those that were found can be used', async () => {
    const records = [
      sampleCapacity('a', { tier: 'tdx' }),
      sampleCapacity('b', { payment: { ...sampleCapacity('b').payment, networks: [-239] } }),
      sampleCapacity('c', { tier: 'tdx' })
    ]
    await assert.rejects(find(records).found, (err: Error & { code?: string; details?: unknown }) => {
      assert.equal(err.code, 'NO_USABLE_PROVIDER')
      assert.deepEqual(err.details, { model: MODEL, found: 3 })
      assert.match(err.message, /2 attestation tier .*1 paid on another network/)
      return true
    })
    await assert.rejects(find([sampleCapacity('a')], { pinned: 'z' }).found, { code: 'NO_USABLE_PROVIDER' })
  })
})
