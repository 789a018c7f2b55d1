import assert from 'node:assert/strict'
import { ChainRpc } from '../../src/ton/chain-rpc.ts'
import { ChainFixture } from './chain-fixture.ts'

describe('chain access over a chain server', () => {
  let fixture: ChainFixture
  let rpc: ChainRpc

  beforeEach(async () => {
    fixture = new ChainFixture()
    await fixture.server.start()
    rpc = new ChainRpc({}, { endpoint: fixture.server.endpoint, globalId: -217 })
  })

  afterEach(async () => {
    await fixture.server.stop()
  })

  it('reads parameters of the chain configuration', async () => {
    assert.equal((await rpc.configParam(19)).beginParse().loadInt(32), -217)
    for (const id of [18, 20, 21, 24, 25]) {
      assert.ok(
        (await rpc.configParam(id)).bits.length + (await rpc.configParam(id)).refs.length > 0,
        `parameter ${id}`
      )
    }
  })

  it('says as of when an account is shown', async () => {
    const view = await rpc.account(`0:${'11'.repeat(32)}`)
    assert.deepEqual([view.balance, view.active, view.lastLt], [0n, false, 0n])
    assert.ok(Math.abs(view.asOfMs - Date.now()) < 10_000 && view.blockSeqno >= 1)
  })
})
