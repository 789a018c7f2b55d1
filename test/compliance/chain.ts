import assert from 'node:assert/strict'
import { parseRawAddress } from '../../src/core/address.ts'
import { type Ed25519KeyPair, ed25519Sign } from '../../src/core/ed25519.ts'
import { type NanoTon, nanoTon } from '../../src/core/nano-ton.ts'
import type { Chain, ChannelTerms, ClaimVoucher, CoopCloseOrder } from '../../src/payments/chain.ts'
import { closeHash, signVoucher } from '../../src/payments/index.ts'

/** A time that no test reaches, Unix seconds. */
const FAR_FUTURE = 4_000_000_000

/** What a client judges a beacon by. */
interface BlockSource {
  blockHash(height: number): Promise<Uint8Array>
}

/** A chain with two funded wallets, as the suite needs it. */
export interface ChainUnderTest {
  /** The chain as the payer's node has it, and as the payee's node has it. May be one object where wallets do not matter. */
  payer: Chain & BlockSource
  payee: Chain & BlockSource
  payerKey: Ed25519KeyPair
  payeeKey: Ed25519KeyPair
  /** Terms that the payer's wallet can open; another salt each time. */
  terms(): ChannelTerms
  /** Moves the chain's time on. */
  advance(seconds: number): Promise<void>
  stop?(): Promise<void>
}

const DEPOSIT = nanoTon(2_000_000_000n)

/**
 * What payments rely on, whoever implements `Chain` (`src/payments/chain.ts`): run it on the real one and on the fake.
 *
 * @param setup called before each test
 */
export function chainCompliance(name: string, setup: () => Promise<ChainUnderTest>): void {
  describe(`chain compliance: ${name}`, () => {
    let world: ChainUnderTest
    let terms: ChannelTerms
    let channel: string
    beforeEach(async () => {
      world = await setup()
      terms = world.terms()
      channel = world.payer.channelAddress(terms)
    })
    afterEach(async () => {
      await world.stop?.()
    })

    function voucher(
      cumulative: bigint,
      openedLt: bigint,
      change: { globalId?: number; channel?: string; key?: Ed25519KeyPair } = {}
    ): ClaimVoucher {
      const fields = { channel: change.channel ?? channel, openedLt, cumulative: nanoTon(cumulative) }
      const { signature } = signVoucher(change.key ?? world.payerKey, change.globalId ?? terms.globalId, fields)
      return { openedLt, cumulative: fields.cumulative, signature }
    }

    function order(
      cumulative: bigint,
      openedLt: bigint,
      key = world.payeeKey,
      validUntil = FAR_FUTURE
    ): CoopCloseOrder {
      const total = {
        globalId: terms.globalId,
        channel: parseRawAddress(channel),
        openedLt,
        cumulative: nanoTon(cumulative),
        validUntil
      }
      const payeeSignature = ed25519Sign(key.privateKey, closeHash(total))
      return { openedLt, cumulative: total.cumulative, validUntil, payeeSignature }
    }

    async function open(deposit: NanoTon = DEPOSIT): Promise<bigint> {
      return (await world.payer.openChannel(terms, deposit)).openedLt
    }

    it('has one address for the same terms on both sides, and another for any other', () => {
      assert.match(channel, /^0:[0-9a-f]{64}$/)
      assert.equal(world.payee.channelAddress({ ...terms }), channel)
      const others = [
        { ...terms, salt: terms.salt ^ 1n },
        { ...terms, challengeSeconds: terms.challengeSeconds + 1 },
        { ...terms, payerKey: terms.payeeKey },
        { ...terms, payeeKey: terms.payerKey },
        { ...terms, payeeAddress: terms.payerAddress },
        { ...terms, payerAddress: terms.payeeAddress },
        { ...terms, globalId: terms.globalId - 1 }
      ].map(other => world.payer.channelAddress(other))
      assert.equal(new Set([channel, ...others]).size, others.length + 1)
    })

    it('shows a channel that was never opened as missing', async () => {
      const { state, deposit, settled, openedLt } = await world.payer.readChannel(channel)
      assert.deepEqual([state, deposit, settled, openedLt], ['missing', 0n, 0n, 0n])
    })

    it('shows an opened channel to both sides, with its deposit and the opening it tells us of', async () => {
      const opened = await world.payer.openChannel(terms, DEPOSIT)
      assert.equal(opened.channel, channel)
      assert.match(opened.transaction, /^[0-9a-f]{64}$/)
      const view = await world.payee.readChannel(channel)
      assert.deepEqual(
        [view.state, view.deposit, view.settled, view.closeAtMs, view.openedLt],
        ['open', DEPOSIT, 0n, 0, opened.openedLt]
      )
      assert.ok(view.openedLt > 0n && view.balance >= DEPOSIT)
    })

    it('refuses to open what is open, and sends nothing', async () => {
      await open()
      await assert.rejects(
        world.payer.openChannel(terms, DEPOSIT),
        (err: { details?: { sent?: boolean } }) => err.details?.sent === false
      )
      assert.equal((await world.payer.readChannel(channel)).deposit, DEPOSIT)
    })

    it('adds a top-up to the deposit, and does not open a missing channel by it', async () => {
      await assert.rejects(
        world.payer.topUp(channel, DEPOSIT),
        (err: { details?: { sent?: boolean } }) => err.details?.sent === false
      )
      const openedLt = await open()
      await world.payer.topUp(channel, nanoTon(5_000_000n))
      const view = await world.payee.readChannel(channel)
      assert.deepEqual([view.deposit, view.openedLt], [DEPOSIT + 5_000_000n, openedLt])
    })

    it('pays a claim once, then only what a higher one adds', async () => {
      const openedLt = await open()
      const first = voucher(300_000_000n, openedLt)
      assert.match((await world.payee.claim(channel, first)).transaction, /^[0-9a-f]{64}$/)
      assert.equal((await world.payee.readChannel(channel)).settled, 300_000_000n)
      await assert.rejects(world.payee.claim(channel, first), { code: 'NOTHING_TO_CLAIM' })
      await assert.rejects(world.payee.claim(channel, voucher(200_000_000n, openedLt)), { code: 'NOTHING_TO_CLAIM' })
      await world.payee.claim(channel, voucher(700_000_000n, openedLt))
      const view = await world.payer.readChannel(channel)
      assert.equal(view.settled, 700_000_000n)
      assert.ok(view.balance >= DEPOSIT - 700_000_000n && view.balance < DEPOSIT - 700_000_000n + 100_000_000n)
    })

    it('refuses claims that are forged, too high, of another network, channel or opening', async () => {
      const openedLt = await open()
      const bad = [
        voucher(300_000_000n, openedLt, { key: world.payeeKey }),
        { ...voucher(300_000_000n, openedLt), cumulative: nanoTon(300_000_001n) },
        voucher(DEPOSIT + 1n, openedLt),
        voucher(300_000_000n, openedLt, { globalId: terms.globalId - 1 }),
        voucher(300_000_000n, openedLt, { channel: `0:${'00'.repeat(32)}` }),
        voucher(300_000_000n, openedLt - 1n)
      ]
      for (const forged of bad) {
        await assert.rejects(world.payee.claim(channel, forged), { code: 'CHAIN_REFUSED' })
      }
      assert.equal((await world.payee.readChannel(channel)).settled, 0n)
    })

    it('closes together at the settled amount only, and the channel is gone', async () => {
      const openedLt = await open()
      await world.payee.claim(channel, voucher(300_000_000n, openedLt))
      for (const bad of [
        order(299_999_999n, openedLt),
        order(300_000_000n, openedLt, world.payerKey),
        order(300_000_000n, openedLt - 1n),
        order(300_000_000n, openedLt, world.payeeKey, 1_000)
      ]) {
        await assert.rejects(world.payer.coopClose(channel, bad), { code: 'CHAIN_REFUSED' })
      }
      await world.payer.coopClose(channel, order(300_000_000n, openedLt))
      assert.equal((await world.payee.readChannel(channel)).state, 'missing')
      await assert.rejects(world.payer.coopClose(channel, order(300_000_000n, openedLt)), { code: 'CHANNEL_MISSING' })
    })

    it('pays what was not claimed yet in the close itself', async () => {
      const openedLt = await open()
      await world.payer.coopClose(channel, order(300_000_000n, openedLt))
      assert.equal((await world.payer.readChannel(channel)).state, 'missing')
    })

    it('lets the payer close alone, with claims until the end and no end before its time', async () => {
      const openedLt = await open()
      await assert.rejects(world.payee.finish(channel), { code: 'CHAIN_REFUSED' })
      await world.payer.startClose(channel)
      const { state, closeAtMs } = await world.payee.readChannel(channel)
      assert.equal(state, 'closing')
      const { timeMs } = await world.payer.tip()
      assert.ok(closeAtMs > timeMs && closeAtMs <= timeMs + (terms.challengeSeconds + 60) * 1000)
      await assert.rejects(world.payee.finish(channel), { code: 'CHAIN_REFUSED' })
      await assert.rejects(world.payer.topUp(channel, nanoTon(5_000_000n)), { code: 'CHAIN_REFUSED' })
      await world.payee.claim(channel, voucher(300_000_000n, openedLt))
      await world.advance(terms.challengeSeconds + 1)
      await world.payee.finish(channel)
      assert.equal((await world.payer.readChannel(channel)).state, 'missing')
    })

    it('does not take an old voucher on a channel opened anew at the same address', async () => {
      const firstLt = await open()
      const old = voucher(300_000_000n, firstLt)
      await world.payer.coopClose(channel, order(0n, firstLt))
      const secondLt = await open()
      assert.ok(secondLt > firstLt)
      await assert.rejects(world.payee.claim(channel, old), { code: 'CHAIN_REFUSED' })
      assert.equal((await world.payer.readChannel(channel)).settled, 0n)
    })

    it('tells the height, hash and time of its newest block', async () => {
      const { height, hash, timeMs } = await world.payer.tip()
      assert.ok(Number.isSafeInteger(height) && hash.byteLength === 32 && timeMs > 1_600_000_000_000)
    })

    it('tells the hash of a block by its height as its tip did, to either side, also after further blocks', async () => {
      const { height, hash } = await world.payer.tip()
      assert.deepEqual(await world.payee.blockHash(height), hash)
      await open()
      const later = await world.payer.tip()
      assert.ok(later.height > height)
      assert.deepEqual(await world.payer.blockHash(height), hash)
      assert.notDeepEqual(await world.payer.blockHash(later.height), hash)
      assert.deepEqual(await world.payee.blockHash(later.height), later.hash)
    })

    it('does not make up the hash of a block that is not there yet', async () => {
      const { height } = await world.payer.tip()
      await assert.rejects(world.payer.blockHash(height + 100_000), { code: 'CHAIN_BLOCK_UNKNOWN' })
    })
  })
}
