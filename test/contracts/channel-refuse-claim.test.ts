import assert from 'node:assert/strict'
import { type Builder, beginCell } from '@ton/core'
import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { MAX_NANO_TON, nanoTon } from '../../src/core/nano-ton.ts'
import {
  CHANNEL_OPS,
  CHANNEL_EXIT_CODES as EXIT,
  type SignedFields,
  storeClaim
} from '../../src/ton/channel-contract.ts'
import { voucherCell } from '../../src/ton/voucher-cell.ts'
import { type ChannelFixture, exitCode, GAS, ton, transactionOn } from './channel-fixture.ts'
import { assertNotRun, assertRefused, cell, cut, type Sender } from './channel-refusal.ts'
import { ChannelStages, DEPOSIT, SETTLED, type Stage } from './channel-stages.ts'
import { leastValue } from './contract-source.ts'

const MALFORMED = 9
const OUT_OF_GAS = -14
const MORE = ton('0.5')
const LEAST = leastValue('GAS_CLAIM', 2n)
const BODY_BITS = 32 + 512
const otherKey = ed25519FromSeed(new Uint8Array(32).fill(9))

type Sign = (f: ChannelFixture, stages: ChannelStages) => Promise<SignedFields>

/** What is wrong with a voucher that the payee brings while the channel is open. */
const vouchers: Array<[string, Sign, number]> = [
  ['signed by the payee', f => f.voucher(MORE, {}, f.payeeKey), EXIT.badPayerSignature],
  ['signed by a stranger', f => f.voucher(MORE, {}, otherKey), EXIT.badPayerSignature],
  ['signed for the main network', f => f.voucher(MORE, { globalId: -239 }), EXIT.badPayerSignature],
  ['signed for the test network', f => f.voucher(MORE, { globalId: -3 }), EXIT.badPayerSignature],
  [
    'signed for another channel of the pair',
    f => f.voucher(MORE, { channel: f.sibling({ salt: 8n }).address.toRawString() }),
    EXIT.badPayerSignature
  ],
  [
    'signed for the same account of the masterchain',
    f => f.voucher(MORE, { channel: f.address.toRawString().replace('0:', '-1:') }),
    EXIT.badPayerSignature
  ],
  [
    'signed for an opening one later',
    async f => f.voucher(MORE, { openedLt: (await lt(f)) + 1n }),
    EXIT.badPayerSignature
  ],
  [
    'signed for an opening one earlier',
    async f => f.voucher(MORE, { openedLt: (await lt(f)) - 1n }),
    EXIT.badPayerSignature
  ],
  ['signed for no opening', f => f.voucher(MORE, { openedLt: 0n }), EXIT.badPayerSignature],
  ['raised by a nanoton after signing', f => altered(f, { cumulative: nanoTon(MORE + 1n) }), EXIT.badPayerSignature],
  ['lowered by a nanoton after signing', f => altered(f, { cumulative: nanoTon(MORE - 1n) }), EXIT.badPayerSignature],
  ['of zeros for a signature', f => altered(f, { signature: new Uint8Array(64) }), EXIT.badPayerSignature],
  ['of ones for a signature', f => altered(f, { signature: new Uint8Array(64).fill(255) }), EXIT.badPayerSignature],
  ['with one bit of its first half changed', f => flipped(f, 0), EXIT.badPayerSignature],
  ['with one bit of its second half changed', f => flipped(f, 32), EXIT.badPayerSignature],
  ['that is a close statement of the payer', f => f.statement(MORE, {}, f.payerKey), EXIT.badPayerSignature],
  ['that is a close statement of the payee', f => f.statement(MORE), EXIT.badPayerSignature],
  ['that is settled already', f => f.voucher(SETTLED), EXIT.nothingToClaim],
  ['below what is settled', f => f.voucher(SETTLED - 1n), EXIT.nothingToClaim],
  ['over nothing', f => f.voucher(0n), EXIT.nothingToClaim],
  ['a nanoton above the deposit', f => f.voucher(DEPOSIT + 1n), EXIT.overDeposit],
  ['over the largest amount', f => f.voucher(MAX_NANO_TON), EXIT.overDeposit]
]

const bodies: Array<[string, (builder: Builder) => void, number]> = [
  ['without anything behind its tag', cut(anyClaim(), 32), MALFORMED],
  ['whose signature lacks a bit', cut(anyClaim(), BODY_BITS - 1), MALFORMED],
  ['without an amount', cut(anyClaim(), BODY_BITS), MALFORMED],
  ['whose amount is cut off', cut(anyClaim(), BODY_BITS + 12), MALFORMED],
  ['with a tag that lacks a bit', cut(anyClaim(), 31), EXIT.unknownMessage],
  [
    'whose signature is in a cell of its own',
    builder => builder.storeUint(CHANNEL_OPS.claim, 32).storeRef(beginCell().storeUint(0, 512)),
    MALFORMED
  ],
  [
    'whose fields are in a library cell',
    builder => {
      const library = beginCell().storeUint(2, 8).storeUint(5, 256).endCell({ exotic: true })
      builder.storeUint(CHANNEL_OPS.claim, 32).storeRef(library)
    },
    MALFORMED
  ],
  [
    'that brings the signed cell in place of the amount',
    builder =>
      builder
        .storeUint(CHANNEL_OPS.claim, 32)
        .storeUint(0, 512)
        .storeRef(voucherCell({ globalId: -217, channel: `0:${'00'.repeat(32)}`, openedLt: 1n, cumulative: ton('1') })),
    MALFORMED
  ]
]

/** Where a voucher for more does not help. */
const stages: Array<[string, Stage, Sender, number]> = [
  ['where only the code is', 'new', 'payee', EXIT.nothingToClaim],
  ['of the opening before, by the payee', 'reopened', 'payee', EXIT.badPayerSignature],
  ['of the opening before, by a stranger', 'reopened', 'stranger', EXIT.badPayerSignature],
  ['of the opening before, by the payer', 'reopened', 'payer', EXIT.badPayerSignature]
]

describe('channel refuses a claim', () => {
  let s: ChannelStages

  before(async () => {
    s = await ChannelStages.create()
  })

  for (const [title, sign, code] of vouchers) {
    it(`with a voucher ${title} (${code})`, async () => {
      const f = await s.at('open')
      await assertRefused(f, { from: 'payee', body: storeClaim(await sign(f, s)) }, code)
    })
  }

  for (const [title, body, code] of bodies) {
    it(`${title} (${code})`, async () => {
      await assertRefused(await s.at('open'), { from: 'payee', body }, code)
    })
  }

  for (const [title, stage, from, code] of stages) {
    it(`${title} (${code})`, async () => {
      await assertRefused(await s.at(stage), { from, body: storeClaim(s.voucher) }, code)
    })
  }

  it('of a channel that is gone: no code runs', async () => {
    await assertNotRun(await s.at('gone'), { from: 'payee', body: storeClaim(s.voucher) }, 'no-state')
  })

  it('a second time, whoever brings it (106)', async () => {
    const f = await s.at('open')
    await f.send(f.payee, storeClaim(s.voucher), GAS)
    for (const from of ['payee', 'payer', 'stranger'] as const) {
      await assertRefused(f, { from, body: storeClaim(s.voucher) }, EXIT.nothingToClaim)
    }
  })

  it('with an older voucher after a newer one (106)', async () => {
    const f = await s.at('open')
    await f.send(f.stranger, storeClaim(await f.voucher(ton('0.7'))), GAS)
    await assertRefused(f, { from: 'payee', body: storeClaim(s.voucher) }, EXIT.nothingToClaim)
  })

  for (const from of ['payee', 'payer', 'stranger'] as const) {
    it(`of the ${from} that is one nanoton short of its gas (108), and none that is not`, async () => {
      const f = await s.at('open')
      await assertRefused(f, { from, body: storeClaim(s.voucher), value: LEAST - 1n }, EXIT.notEnoughValue)
      await f.send(f[from], storeClaim(s.voucher), LEAST)
      assert.equal((await f.state()).settled, s.voucher.cumulative)
    })
  }

  // What is left is too little for a message back: the network leaves it where it is.
  for (const [title, value, code] of [
    ['a nanoton: no code runs', 1n, undefined],
    ['too little to check a signature', ton('0.0006'), OUT_OF_GAS],
    ['too little to be sent back', ton('0.0011'), EXIT.notEnoughValue]
  ] as const) {
    it(`that brings ${title} (${code})`, async () => {
      const f = await s.at('open')
      const [state, balance] = [await f.state(), await f.balance()]
      const tx = transactionOn(await f.send(f.payee, storeClaim(s.voucher), value), f.address)
      assert.equal(exitCode(tx), code)
      assert.deepEqual(await f.state(), state)
      assert.ok((await f.balance()) >= balance)
    })
  }

  it('never for what it carries behind its body', async () => {
    const f = await s.at('open')
    const more = (builder: Builder): void =>
      void builder.store(storeClaim(s.voucher)).storeUint(5, 100).storeRef(beginCell().storeUint(6, 100))
    await f.send(f.payee, more, GAS)
    assert.equal((await f.state()).settled, s.voucher.cumulative)
  })

  for (const stage of ['open', 'closing', 'late'] as const) {
    it(`never for being brought by somebody else while ${stage}`, async () => {
      const f = await s.at(stage)
      const due = s.voucher.cumulative - SETTLED
      assert.equal(await f.gain(f.payee, async () => f.send(f.stranger, storeClaim(s.voucher), GAS)), due)
    })
  }
})

function anyClaim(): (builder: Builder) => void {
  return storeClaim({
    globalId: -217,
    channel: `0:${'00'.repeat(32)}`,
    openedLt: 1n,
    cumulative: ton('0.5'),
    signature: new Uint8Array(64)
  })
}

async function lt(f: ChannelFixture): Promise<bigint> {
  return (await f.state()).openedLt
}

async function altered(f: ChannelFixture, changes: Partial<SignedFields>): Promise<SignedFields> {
  return { ...(await f.voucher(MORE)), ...changes }
}

async function flipped(f: ChannelFixture, at: number): Promise<SignedFields> {
  const voucher = await f.voucher(MORE)
  const signature = Uint8Array.from(voucher.signature, (byte, index) => (index === at ? byte ^ 1 : byte))
  assert.notEqual(cell(storeClaim({ ...voucher, signature })).hash(), cell(storeClaim(voucher)).hash())
  return { ...voucher, signature }
}
