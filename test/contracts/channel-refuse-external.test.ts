import assert from 'node:assert/strict'
import { type Builder, beginCell, type Cell, ExternalAddress, type Message } from '@ton/core'
import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { MAX_NANO_TON, nanoTon } from '../../src/core/nano-ton.ts'
import {
  CHANNEL_EXIT_CODES as EXIT,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import { type ChannelFixture, GAS, gasUsed, ton, transactionOn } from './channel-fixture.ts'
import { assertNotAccepted, cell, cut, sendExternal } from './channel-refusal.ts'
import { ChannelStages, DEPOSIT, SETTLED, type Stage } from './channel-stages.ts'
import { leastValue } from './contract-source.ts'

const MALFORMED = 9
const NO_CLAIM = 63
/** The network runs no code for a StateInit that is not the account's. */
const NOT_RUN = 0
const otherKey = ed25519FromSeed(new Uint8Array(32).fill(9))
/** Import, gas and forwarding: a payout has to be more than this. */
const FEES = leastValue('GAS_EXTERNAL_CLAIM', 2n)

type Make = (f: ChannelFixture, s: ChannelStages) => Promise<Cell> | Cell

const claim = (s: ChannelStages): ((builder: Builder) => void) => storeClaim(s.voucher)
async function signed(f: ChannelFixture, ...args: Parameters<ChannelFixture['voucher']>): Promise<Cell> {
  return cell(storeClaim(await f.voucher(...args)))
}

const refusals: Array<[string, Stage, Make, number]> = [
  ['nothing', 'open', () => beginCell().endCell(), NO_CLAIM],
  ['a fund', 'open', () => cell(storeFund(ton('1'))), NO_CLAIM],
  ['a start', 'open', () => cell(storeStartClose()), NO_CLAIM],
  ['a finish', 'late', () => cell(storeFinish()), NO_CLAIM],
  ['a coop close', 'open', (_, s) => cell(storeCoopClose(s.statement)), NO_CLAIM],
  ['a tag alone', 'open', (_, s) => cell(cut(claim(s), 32)), MALFORMED],
  ['a claim whose signature lacks a bit', 'open', (_, s) => cell(cut(claim(s), 32 + 511)), MALFORMED],
  ['a claim without an amount', 'open', (_, s) => cell(cut(claim(s), 32 + 512)), MALFORMED],
  ['a claim with a bit behind it', 'open', (_, s) => cell(claim(s), b => b.storeBit(0)), MALFORMED],
  ['a claim with a reference behind it', 'open', (_, s) => cell(claim(s), b => b.storeRef(beginCell())), MALFORMED],
  ['a voucher signed by the payee', 'open', f => signed(f, ton('0.6'), {}, f.payeeKey), EXIT.badPayerSignature],
  ['a voucher signed by a stranger', 'open', f => signed(f, ton('0.6'), {}, otherKey), EXIT.badPayerSignature],
  ['a voucher for another network', 'open', f => signed(f, ton('0.6'), { globalId: -3 }), EXIT.badPayerSignature],
  [
    'a voucher for another channel of the pair',
    'open',
    f => signed(f, ton('0.6'), { channel: f.sibling({ salt: 8n }).address.toRawString() }),
    EXIT.badPayerSignature
  ],
  ['a voucher for another opening', 'open', f => signed(f, ton('0.6'), { openedLt: 1n }), EXIT.badPayerSignature],
  ['a voucher of the opening before', 'reopened', (_, s) => cell(claim(s)), EXIT.badPayerSignature],
  [
    'a voucher raised after signing',
    'open',
    (_, s) => cell(storeClaim({ ...s.voucher, cumulative: ton('0.7') })),
    EXIT.badPayerSignature
  ],
  ['a voucher that is settled', 'open', f => signed(f, SETTLED), EXIT.nothingToClaim],
  ['a voucher over nothing', 'open', f => signed(f, 0n), EXIT.nothingToClaim],
  ['a voucher a nanoton above the deposit', 'open', f => signed(f, DEPOSIT + 1n), EXIT.overDeposit],
  ['a voucher over the largest amount', 'open', f => signed(f, MAX_NANO_TON), EXIT.overDeposit],
  ['a payout of its fees', 'open', f => signed(f, SETTLED + FEES), EXIT.payoutTooSmall],
  ['a payout of a nanoton', 'open', f => signed(f, SETTLED + 1n), EXIT.payoutTooSmall]
]

describe('channel does not accept from outside', () => {
  let s: ChannelStages

  before(async () => {
    s = await ChannelStages.create()
  })

  for (const [title, stage, make, code] of refusals) {
    it(`${title} (${code})`, async () => {
      const f = await s.at(stage)
      await assertNotAccepted(f, await make(f, s), code)
    })
  }

  it(`a claim in a cell of its own, whose import the channel would pay (${EXIT.padded})`, async () => {
    const f = await s.at('open')
    // Behind so long an address the body has no room in the root cell.
    const message = fromOutside(f, cell(claim(s)), 500)
    const before = [await f.state(), await f.balance()]
    await assert.rejects(
      f.chain.sendMessage(message),
      (err: Error & { exitCode?: number }) => err.exitCode === EXIT.padded
    )
    assert.deepEqual([await f.state(), await f.balance()], before)
  })

  it(`a claim with the channel’s own StateInit beside it (${EXIT.padded})`, async () => {
    const f = await s.at('open')
    await assertNotAccepted(f, cell(claim(s)), EXIT.padded, f.channel.init)
  })

  it('a claim with a heavy StateInit beside it: no code runs', async () => {
    let padding = beginCell().storeUint(0, 1000).endCell()
    for (let i = 0; i < 60; i++) {
      padding = beginCell().storeUint(i, 1000).storeRef(padding).endCell()
    }
    await assertNotAccepted(await s.at('open'), cell(claim(s)), NOT_RUN, { code: padding, data: padding })
  })

  it('the same claim a second time, as often as it comes (106)', async () => {
    const f = await s.at('open')
    const body = cell(claim(s))
    await sendExternal(f, body)
    for (let i = 0; i < 20; i++) {
      await assertNotAccepted(f, body, EXIT.nothingToClaim)
    }
  })

  it('a claim that came as an internal message before (106)', async () => {
    const f = await s.at('open')
    await f.send(f.stranger, claim(s), GAS)
    await assertNotAccepted(f, cell(claim(s)), EXIT.nothingToClaim)
  })

  it('a claim of a channel that is gone', async () => {
    await assert.rejects(sendExternal(await s.at('gone'), cell(claim(s))))
  })

  it('no claim whose payout is a nanoton above its fees; it never burns more than it is to pay', async () => {
    const f = await s.at('open')
    const before = await f.balance()
    const total = SETTLED + FEES + 1n
    const result = await sendExternal(f, await signed(f, total))
    assert.equal((await f.state()).settled, total)
    assert.equal(before - (await f.balance()), FEES + 1n)
    assert.ok(gasUsed(transactionOn(result, f.address)) > 0n)
  })

  it('no claim for the address it claims to come from, which costs nobody anything', async () => {
    const f = await s.at('open')
    const before = await f.balance()
    await f.chain.sendMessage(fromOutside(f, cell(claim(s)), 60))
    assert.equal(before - (await f.balance()), s.voucher.cumulative - SETTLED)
  })

  it('a claim where only the code is (107)', async () => {
    const f = await s.at('new')
    await f.stranger.send({ to: f.address, value: GAS, bounce: false })
    await assertNotAccepted(f, cell(claim(s)), EXIT.overDeposit)
  })

  it('no claim while closing, nor after closeAt: the payee is paid until somebody finishes', async () => {
    for (const stage of ['closing', 'late'] as const) {
      const f = await s.at(stage)
      await sendExternal(f, cell(claim(s)))
      assert.equal((await f.state()).settled, nanoTon(s.voucher.cumulative))
    }
  })
})

/** An external message that names a sender of so many bits. */
function fromOutside(f: ChannelFixture, body: Cell, bits: number): Message {
  const src = new ExternalAddress(5n, bits)
  return { info: { type: 'external-in', src, dest: f.address, importFee: 0n }, body }
}
