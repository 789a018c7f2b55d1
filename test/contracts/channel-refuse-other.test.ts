import assert from 'node:assert/strict'
import { type Address, type Builder, beginCell, type CommonMessageInfoInternal } from '@ton/core'
import fc from 'fast-check'
import {
  CHANNEL_OPS,
  CHANNEL_EXIT_CODES as EXIT,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import { exitCode, GAS, ton, transactionOn } from './channel-fixture.ts'
import { rawData } from './channel-raw-data.ts'
import { assertRefused, cell } from './channel-refusal.ts'
import { ChannelStages, DEPOSIT } from './channel-stages.ts'

const COMMENT = 0
const unknown: Array<[string, (builder: Builder) => void]> = [
  ['a plain transfer', () => undefined],
  ['a transfer with a comment', builder => builder.storeUint(COMMENT, 32).storeStringTail('for the deposit')],
  ['a tag below all others', builder => builder.storeUint(CHANNEL_OPS.fund - 1, 32).storeCoins(1)],
  ['a tag above all others', builder => builder.storeUint(CHANNEL_OPS.coopClose + 1, 32).storeUint(0, 512)],
  ['the tag of a voucher', builder => builder.storeUint(0x636f6376, 32)],
  ['a tag of ones', builder => builder.storeUint(0xffff_ffff, 32)],
  ['half a tag', builder => builder.storeUint(0xc0c0, 16)],
  ['references only', builder => builder.storeRef(cell(storeFund(ton('1')))).storeRef(cell(storeFinish()))]
]

describe('channel refuses', () => {
  let s: ChannelStages

  before(async () => {
    s = await ChannelStages.create()
  })

  for (const [title, body] of unknown) {
    for (const from of ['payer', 'payee', 'stranger'] as const) {
      it(`${title} of the ${from} (${EXIT.unknownMessage})`, async () => {
        await assertRefused(await s.at('open'), { from, body }, EXIT.unknownMessage)
      })
    }
  }

  for (const stage of ['new', 'closing', 'late'] as const) {
    it(`a plain transfer while ${stage} (${EXIT.unknownMessage})`, async () => {
      await assertRefused(await s.at(stage), { from: 'stranger', body: () => undefined }, EXIT.unknownMessage)
    })
  }

  it('garbage: no body that nobody signed changes anything but a fund, a start or a finish', async function () {
    this.timeout(60_000)
    const f = await s.at('open')
    const [state, balance] = [await f.state(), await f.balance()]
    const tag = fc.oneof(fc.constantFrom(CHANNEL_OPS.claim, CHANNEL_OPS.coopClose), fc.nat(0xffff_ffff))
    const bits = fc.uint8Array({ maxLength: 100 })
    await fc.assert(
      fc.asyncProperty(tag, bits, fc.nat(2), async (op, bytes, references) => {
        const body = beginCell().storeUint(op, 32).storeBuffer(Buffer.from(bytes))
        for (let i = 0; i < references; i++) {
          body.storeRef(beginCell().storeUint(i, 8))
        }
        const tx = transactionOn(await f.send(f.stranger, builder => builder.storeBuilder(body), GAS), f.address)
        assert.ok(![undefined, 0, 1].includes(exitCode(tx)))
        assert.deepEqual([await f.state(), await f.balance()], [state, balance])
      }),
      { numRuns: 60 }
    )
  })

  for (const [title, body] of [
    ['fund', () => cell(storeFund(ton('1')))],
    ['claim', () => cell(storeClaim(s.voucher))],
    ['start', () => cell(storeStartClose())],
    ['coop close', () => cell(storeCoopClose(s.statement))]
  ] as const) {
    it(`to act on a ${title} that comes back to it: a bounced message is money and nothing else`, async () => {
      const f = await s.at('open')
      const [state, balance] = [await f.state(), await f.balance()]
      const { transactions } = await f.chain.sendMessage({
        info: bouncedInfo(f.payer.address, f.address),
        body: body()
      })
      const tx = transactionOn({ transactions }, f.address)
      assert.deepEqual([exitCode(tx), tx.outMessagesCount], [0, 0])
      assert.deepEqual(await f.state(), state)
      assert.ok((await f.balance()) > balance)
    })
  }

  describe('to be taken for another channel:', () => {
    it('one whose first data says that it is open has another address, where vouchers of this one are worth nothing', async () => {
      const f = await s.at('open')
      const { openedLt } = await f.state()
      const forged = f.sibling({}, rawData(f, { deposit: ton('1000'), openedLt }))
      assert.ok(!forged.address.equals(f.address))
      await forged.stranger.send({ to: forged.address, value: GAS, bounce: false, init: forged.channel.init ?? null })
      assert.deepEqual(await forged.state(), { state: 'open', deposit: ton('1000'), settled: 0n, closeAt: 0, openedLt })
      await assertRefused(forged, { from: 'payee', body: storeClaim(s.voucher) }, EXIT.badPayerSignature)
    })

    it('one whose first data says that much is settled, or that it may be finished', async () => {
      const f = await s.at('open')
      for (const changes of [{ settled: 1n }, { closeAt: 1 }, { deposit: DEPOSIT }, { openedLt: 1n }]) {
        assert.ok(!f.sibling({}, rawData(f, changes)).address.equals(f.address))
      }
      assert.ok(f.sibling({}, rawData(f, {})).address.equals(f.address), 'the honest data gives this address')
    })

    it('data that does not hash to its address: the network runs no code', async () => {
      const f = await s.at('missing')
      const init = { code: f.channel.init?.code ?? assert.fail(), data: rawData(f, { deposit: ton('1000') }) }
      const result = await f.payer.send({ to: f.address, value: GAS, bounce: true, init, body: cell(storeFinish()) })
      assert.equal(exitCode(transactionOn(result, f.address)), undefined)
      assert.deepEqual([await f.exists(), await f.balance()], [false, 0n])
    })

    it('other data once it is there: StateInit is not read again', async () => {
      const f = await s.at('open')
      const state = await f.state()
      const init = { code: f.channel.init?.code ?? assert.fail(), data: rawData(f, { deposit: ton('1000') }) }
      await f.stranger.send({ to: f.address, value: GAS, bounce: true, init, body: beginCell().endCell() })
      assert.deepEqual(await f.state(), state)
    })
  })
})

function bouncedInfo(src: Address, dest: Address): CommonMessageInfoInternal {
  return {
    type: 'internal',
    ihrDisabled: true,
    bounce: false,
    bounced: true,
    src,
    dest,
    value: { coins: GAS },
    ihrFee: 0n,
    forwardFee: 0n,
    createdLt: 0n,
    createdAt: 0
  }
}
