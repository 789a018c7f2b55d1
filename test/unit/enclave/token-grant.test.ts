import assert from 'node:assert/strict'
import { TokenGrant } from '../../../src/enclave/token-grant.ts'

describe('token grant', () => {
  it('lets through what is granted without a promise', () => {
    const grant = new TokenGrant(2)
    assert.equal(grant.beyond(0), undefined)
    assert.equal(grant.beyond(1), undefined)
    assert.ok(grant.beyond(2) instanceof Promise)
  })

  it('opens when the total is raised past the tokens made, and not before', async () => {
    const grant = new TokenGrant(0)
    let open = false
    const gate = grant.beyond(3)?.then(() => {
      open = true
    })
    grant.raise(3)
    await Promise.resolve()
    assert.equal(open, false)
    grant.raise(4)
    await gate
    assert.equal(open, true)
  })

  it('is never lowered', () => {
    const grant = new TokenGrant(5)
    grant.raise(1)
    assert.equal(grant.beyond(4), undefined)
  })
})
