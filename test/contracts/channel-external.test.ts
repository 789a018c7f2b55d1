import assert from 'node:assert/strict'
import { beginCell, type Cell, external, type StateInit } from '@ton/core'
import type { SendMessageResult } from '@ton/sandbox'
import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { type SignedFields, storeClaim, storeFinish } from '../../src/ton/channel-contract.ts'
import { ChannelFixture, GAS, ton, transactionOn } from './channel-fixture.ts'

describe('external claim', () => {
  let f: ChannelFixture

  beforeEach(async () => {
    f = await ChannelFixture.create()
    await f.open()
  })

  it('pays a payee who has no coin, all fees out of the payout', async () => {
    const before = await f.balance()
    const payeeBefore = await f.balance(f.payee.address)
    const result = await sendExternal(f, await claimBody(f, ton('0.4')))
    const left = before - (await f.balance())
    const payout = transactionOn(result, f.address).outMessages.values()[0]?.info
    assert.ok(payout?.type === 'internal' && payout.dest.equals(f.payee.address))
    assert.equal(left, ton('0.4'), 'what is settled left the channel, fees included')
    assert.ok(payout.value.coins < ton('0.4') && payout.value.coins > ton('0.39'))
    assert.ok((await f.balance(f.payee.address)) > payeeBefore)
    assert.equal((await f.state()).settled, ton('0.4'))
  })

  it('accepts none that would change nothing, so that no message can burn the deposit', async () => {
    const replay = await claimBody(f, ton('0.4'))
    await sendExternal(f, replay)
    const balance = await f.balance()
    const other = ed25519FromSeed(new Uint8Array(32).fill(9))
    for (const body of [
      replay,
      await claimBody(f, ton('0.5'), {}, other),
      await claimBody(f, ton('1.5')),
      await claimBody(f, ton('0.5'), { openedLt: 1n }),
      await claimBody(f, ton('0.5'), { globalId: -3 }),
      // Less than its own fees.
      await claimBody(f, ton('0.4') + 1000n),
      beginCell().endCell(),
      beginCell().store(storeFinish()).endCell(),
      beginCell()
        .storeSlice((await claimBody(f, ton('0.5'))).beginParse())
        .storeUint(0, 8)
        .endCell()
    ]) {
      await assert.rejects(sendExternal(f, body), (err: Error & { exitCode?: number }) => err.exitCode !== undefined)
    }
    assert.equal(await f.balance(), balance)
  })

  it('lets nobody pad the message to burn the deposit with its import fee', async () => {
    let padding = beginCell().storeUint(0, 1000).endCell()
    for (let i = 0; i < 60; i++) {
      padding = beginCell().storeUint(i, 1000).storeRef(padding).endCell()
    }
    const body = await claimBody(f, ton('0.4'))
    const balance = await f.balance()
    await assert.rejects(sendExternal(f, body, { code: padding, data: padding }))
    await assert.rejects(sendExternal(f, beginCell().storeSlice(body.beginParse()).storeRef(padding).endCell()))
    assert.equal(await f.balance(), balance)
  })

  it('P55 pays and settles what is left, no more, once storage has eaten into the deposit', async () => {
    f.chain.now = (f.chain.now ?? 0) + 5 * 365 * 86_400
    // Any transaction collects the storage fee that is due.
    await f.send(f.stranger, () => undefined, GAS)
    const left = await f.balance()
    assert.ok(left < ton('1'))
    await sendExternal(f, await claimBody(f, ton('1')))
    assert.equal((await f.state()).settled, left)
    assert.equal(await f.balance(), 0n)
  })
})

async function sendExternal(f: ChannelFixture, body: Cell, init?: StateInit): Promise<SendMessageResult> {
  return f.chain.sendMessage(external({ to: f.address, body, ...(init === undefined ? {} : { init }) }))
}

async function claimBody(
  f: ChannelFixture,
  total: bigint,
  changes: Partial<SignedFields> = {},
  key = f.payerKey
): Promise<Cell> {
  return beginCell()
    .store(storeClaim(await f.voucher(total, changes, key)))
    .endCell()
}
