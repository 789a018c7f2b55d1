import assert from 'node:assert/strict'
import type { CocoonNode } from '../../src/node/index.ts'
import { askAll, question, TestMesh } from '../support/test-mesh.ts'

/** Quotes that a provider makes for one peer at once, where they are quick. */
const BUDGET_QUOTES = 32

describe('a client that asked one provider for too much evidence', function () {
  this.timeout(60_000)
  let mesh: TestMesh
  let spent: CocoonNode
  let fresh: CocoonNode
  let client: CocoonNode
  before(async () => {
    mesh = await TestMesh.start()
    spent = await mesh.provider()
    fresh = await mesh.provider()
    client = await mesh.client()
    await mesh.published()
  })
  after(() => mesh.stop())

  it('is sent away by it at once, is served by another provider, and takes nothing from other clients', async () => {
    const asking = client.client
    assert.ok(asking)
    let refusal: unknown
    for (let n = 0; n < BUDGET_QUOTES + 8; n++) {
      refusal = await asking.attestation(spent.mesh.peerId).then(
        () => undefined,
        (err: unknown) => err
      )
      if (refusal !== undefined) {
        break
      }
    }
    assert.ok(refusal instanceof Error && 'code' in refusal && 'details' in refusal)
    assert.equal(refusal.code, 'ATTESTATION_BUSY')
    const { retryAfterMs } = refusal.details as { retryAfterMs: number }
    assert.ok(retryAfterMs >= 1_000 && retryAfterMs <= 5_000, `${retryAfterMs} ms`)
    await assert.rejects(askAll(client, question({ provider: spent.mesh.peerId })), { code: 'ATTESTATION_BUSY' })
    const { provider, text } = await askAll(client, question())
    assert.equal(provider.peerId, fresh.mesh.peerId)
    assert.ok(text.length > 0)
    const other = await mesh.client()
    const shown = await other.client?.attestation(spent.mesh.peerId)
    assert.ok(shown !== undefined && 'enclave' in shown)
  })
})
