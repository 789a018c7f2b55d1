import assert from 'node:assert/strict'
import type { Builder } from '@ton/core'
import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { MAX_NANO_TON, nanoTon } from '../../src/core/nano-ton.ts'
import {
  CHANNEL_EXIT_CODES as EXIT,
  type SignedClose,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import { type ChannelFixture, GAS, ton } from './channel-fixture.ts'
import { assertNotRun, assertRefused, cut, type Sender } from './channel-refusal.ts'
import { ChannelStages, DEPOSIT, SETTLED, type Stage } from './channel-stages.ts'
import { leastValue } from './contract-source.ts'

const MALFORMED = 9
const BODY_BITS = 32 + 512
const otherKey = ed25519FromSeed(new Uint8Array(32).fill(9))

const starts: Array<[string, Stage, Sender, number]> = [
  ['by a stranger', 'open', 'stranger', EXIT.notPayer],
  ['by the payee', 'open', 'payee', EXIT.notPayer],
  ['by a stranger while closing', 'closing', 'stranger', EXIT.notPayer],
  ['where only the code is', 'new', 'payer', EXIT.notOpen],
  ['a second time', 'closing', 'payer', EXIT.alreadyClosing],
  ['when it may be finished already', 'late', 'payer', EXIT.alreadyClosing]
]

const finishes: Array<[string, Stage, Sender, number]> = [
  ['where only the code is', 'new', 'payer', EXIT.notClosing],
  ['before a start, by the payer', 'open', 'payer', EXIT.notClosing],
  ['before a start, by the payee', 'open', 'payee', EXIT.notClosing],
  ['before a start, by a stranger', 'open', 'stranger', EXIT.notClosing],
  ['at once, by the payer', 'closing', 'payer', EXIT.tooEarly],
  ['at once, by the payee', 'closing', 'payee', EXIT.tooEarly],
  ['at once, by a stranger', 'closing', 'stranger', EXIT.tooEarly],
  ['that was started in the opening before', 'reopened', 'payer', EXIT.notClosing]
]

type Sign = (f: ChannelFixture, stages: ChannelStages) => Promise<SignedClose>

/** What is wrong with a statement that the payer brings while the channel is open. */
const statements: Array<[string, Sign, number]> = [
  ['signed by the payer', f => f.statement(SETTLED, {}, f.payerKey), EXIT.badPayeeSignature],
  ['signed by a stranger', f => f.statement(SETTLED, {}, otherKey), EXIT.badPayeeSignature],
  ['signed for the main network', f => f.statement(SETTLED, { globalId: -239 }), EXIT.badPayeeSignature],
  ['signed for the test network', f => f.statement(SETTLED, { globalId: -3 }), EXIT.badPayeeSignature],
  [
    'signed for another channel of the pair',
    f => f.statement(SETTLED, { channel: f.sibling({ salt: 8n }).address.toRawString() }),
    EXIT.badPayeeSignature
  ],
  [
    'signed for the same account of the masterchain',
    f => f.statement(SETTLED, { channel: f.address.toRawString().replace('0:', '-1:') }),
    EXIT.badPayeeSignature
  ],
  [
    'signed for an opening one later',
    async f => f.statement(SETTLED, { openedLt: (await f.state()).openedLt + 1n }),
    EXIT.badPayeeSignature
  ],
  ['signed for no opening', f => f.statement(SETTLED, { openedLt: 0n }), EXIT.badPayeeSignature],
  ['raised by a nanoton after signing', f => altered(f, { cumulative: nanoTon(SETTLED + 1n) }), EXIT.badPayeeSignature],
  ['prolonged by a second after signing', f => prolonged(f, 1), EXIT.badPayeeSignature],
  ['shortened by a second after signing', f => prolonged(f, -1), EXIT.badPayeeSignature],
  ['of zeros for a signature', f => altered(f, { signature: new Uint8Array(64) }), EXIT.badPayeeSignature],
  ['that is a voucher of the payer', f => voucherInstead(f, f.payerKey), EXIT.badPayeeSignature],
  ['that is a voucher with the payee’s signature', f => voucherInstead(f, f.payeeKey), EXIT.badPayeeSignature],
  ['that expired a second ago', async f => f.statement(SETTLED, { validUntil: now(f) - 1 }), EXIT.expired],
  ['that was never valid', f => f.statement(SETTLED, { validUntil: 0 }), EXIT.expired],
  ['a nanoton below what is settled', f => f.statement(SETTLED - 1n), EXIT.closeAmount],
  ['over nothing', f => f.statement(0n), EXIT.closeAmount],
  ['a nanoton above the deposit', f => f.statement(DEPOSIT + 1n), EXIT.overDeposit],
  ['over the largest amount', f => f.statement(MAX_NANO_TON), EXIT.overDeposit]
]

const bodies: Array<[string, (builder: Builder) => void]> = [
  ['without anything behind its tag', cut(anyClose(), 32)],
  ['whose signature lacks a bit', cut(anyClose(), BODY_BITS - 1)],
  ['without an amount', cut(anyClose(), BODY_BITS)],
  ['without a time', cut(anyClose(), BODY_BITS + 4 + 32)],
  ['whose time lacks a bit', cut(anyClose(), BODY_BITS + 4 + 32 + 31)]
]

describe('channel refuses to be closed:', () => {
  let s: ChannelStages

  before(async () => {
    s = await ChannelStages.create()
  })

  for (const [title, stage, from, code] of starts) {
    it(`a start ${title} (${code})`, async () => {
      await assertRefused(await s.at(stage), { from, body: storeStartClose() }, code)
    })
  }

  for (const [title, stage, from, code] of finishes) {
    it(`a finish ${title} (${code})`, async () => {
      await assertRefused(await s.at(stage), { from, body: storeFinish() }, code)
    })
  }

  it(`a finish one second early (${EXIT.tooEarly}), and none in the second of closeAt`, async () => {
    const f = await s.at('closing')
    const { closeAt } = await f.state()
    f.chain.now = closeAt - 1
    await assertRefused(f, { from: 'payer', body: storeFinish() }, EXIT.tooEarly)
    f.chain.now = closeAt
    await f.send(f.payer, storeFinish(), GAS)
    assert.equal(await f.exists(), false)
  })

  for (const [title, sign, code] of statements) {
    it(`a statement ${title} (${code})`, async () => {
      const f = await s.at('open')
      await assertRefused(f, { from: 'payer', body: storeCoopClose(await sign(f, s)) }, code)
    })
  }

  for (const [title, body] of bodies) {
    it(`a coop close ${title} (${MALFORMED})`, async () => {
      await assertRefused(await s.at('open'), { from: 'payer', body }, MALFORMED)
    })
  }

  for (const stage of ['open', 'closing', 'late'] as const) {
    for (const from of ['payee', 'stranger'] as const) {
      it(`more than is settled, by the ${from} while ${stage} (${EXIT.notPayer})`, async () => {
        await assertRefused(await s.at(stage), { from, body: storeCoopClose(s.statement) }, EXIT.notPayer)
      })
    }
  }

  it(`a coop close where only the code is (${EXIT.notOpen})`, async () => {
    await assertRefused(await s.at('new'), { from: 'payer', body: storeCoopClose(s.statement) }, EXIT.notOpen)
  })

  it(`a statement of the opening before (${EXIT.badPayeeSignature})`, async () => {
    await assertRefused(
      await s.at('reopened'),
      { from: 'payer', body: storeCoopClose(s.statement) },
      EXIT.badPayeeSignature
    )
  })

  it(`a statement that a claim has outdated (${EXIT.closeAmount})`, async () => {
    const f = await s.at('open')
    await f.send(f.payee, storeClaim(await f.voucher(ton('0.7'))), GAS)
    await assertRefused(f, { from: 'payer', body: storeCoopClose(s.statement) }, EXIT.closeAmount)
  })

  it(`a statement a second after its time (${EXIT.expired}), and none in its last second`, async () => {
    const f = await s.at('open')
    f.chain.now = s.statement.validUntil + 1
    await assertRefused(f, { from: 'payer', body: storeCoopClose(s.statement) }, EXIT.expired)
    await s.at('open')
    f.chain.now = s.statement.validUntil
    await f.send(f.payer, storeCoopClose(s.statement), GAS)
    assert.equal(await f.exists(), false)
  })

  for (const [what, stage, from, constant, messages, body] of [
    ['a start', 'open', 'payer', 'GAS_START_CLOSE', 1n, storeStartClose()],
    ['a finish by the payer', 'late', 'payer', 'GAS_FINISH', 2n, storeFinish()],
    ['a finish by a stranger', 'late', 'stranger', 'GAS_FINISH', 2n, storeFinish()]
  ] as const) {
    it(`${what} that is one nanoton short of its gas (${EXIT.notEnoughValue}), and none that is not`, async () => {
      const f = await s.at(stage)
      const least = leastValue(constant, messages)
      await assertRefused(f, { from, body, value: least - 1n }, EXIT.notEnoughValue)
      const before = await f.stateOrNew()
      await f.send(f[from], body, least)
      assert.notDeepEqual(await f.stateOrNew(), before)
    })
  }

  for (const [from, total] of [
    ['payer', ton('0.6')],
    ['payer', SETTLED],
    ['payee', SETTLED],
    ['stranger', SETTLED]
  ] as const) {
    const what = `a coop close at ${total === SETTLED ? 'what is settled' : 'more than is settled'} by the ${from}`
    it(`${what} that is one nanoton short of its gas (${EXIT.notEnoughValue}), and none that is not`, async () => {
      const f = await s.at('open')
      const body = storeCoopClose(await f.statement(total))
      const least = leastValue('GAS_COOP_CLOSE', 2n)
      await assertRefused(f, { from, body, value: least - 1n }, EXIT.notEnoughValue)
      await f.send(f[from], body, least)
      assert.equal(await f.exists(), false)
    })
  }

  for (const [what, body] of [
    ['start', () => storeStartClose()],
    ['finish', () => storeFinish()],
    ['coop close', () => storeCoopClose(s.statement)]
  ] as const) {
    it(`a ${what} of a channel that is gone: no code runs`, async () => {
      await assertNotRun(await s.at('gone'), { from: 'payer', body: body() }, 'no-state')
    })
  }
})

function now(f: ChannelFixture): number {
  return f.chain.now ?? 0
}

async function altered(f: ChannelFixture, changes: Partial<SignedClose>): Promise<SignedClose> {
  return { ...(await f.statement(SETTLED)), ...changes }
}

async function prolonged(f: ChannelFixture, seconds: number): Promise<SignedClose> {
  const statement = await f.statement(SETTLED)
  return { ...statement, validUntil: statement.validUntil + seconds }
}

async function voucherInstead(f: ChannelFixture, key: ChannelFixture['payerKey']): Promise<SignedClose> {
  return { ...(await f.voucher(SETTLED, {}, key)), validUntil: now(f) + 60 }
}

function anyClose(): (builder: Builder) => void {
  return storeCoopClose({
    globalId: -217,
    channel: `0:${'00'.repeat(32)}`,
    openedLt: 1n,
    cumulative: SETTLED,
    validUntil: 1,
    signature: new Uint8Array(64)
  })
}
