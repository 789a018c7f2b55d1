import assert from 'node:assert/strict'
import { errorCode } from '../../src/core/errors.ts'
import type { CocoonNode } from '../../src/node/index.ts'
import { askAll, question, TestMesh } from '../support/test-mesh.ts'

describe('a provider whose statement names a block that our chain does not have', function () {
  this.timeout(60_000)
  let mesh: TestMesh
  let liar: CocoonNode
  let client: CocoonNode

  before(async () => {
    mesh = await TestMesh.start()
    const endpoint = await mesh.lyingEndpoint()
    liar = await mesh.provider({ overrides: config => ({ ...config, chain: { ...config.chain, endpoint } }) })
    client = await mesh.client()
    await mesh.published()
  })
  after(() => mesh.stop())

  it('is refused, is sent no question and no money', async () => {
    await assert.rejects(askAll(client, question()), err => errorCode(err) === 'ATTESTATION_BEACON_MISMATCH')
    assert.deepEqual(client.payer.list(), [])
    const shown = await client.client?.attestation(liar.peerId)
    assert.ok(shown !== undefined && 'refusal' in shown)
    assert.equal(errorCode(shown.refusal), 'ATTESTATION_BEACON_MISMATCH')
  })

  it('does not keep an honest one from answering', async () => {
    const honest = await mesh.provider()
    await mesh.published()
    const fresh = await mesh.client()
    const { provider, text } = await askAll(fresh, question())
    assert.equal(provider.peerId, honest.peerId)
    assert.ok(text.length > 20)
  })
})
