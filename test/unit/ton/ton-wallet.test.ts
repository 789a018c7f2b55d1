import assert from 'node:assert/strict'
import { Address, beginCell } from '@ton/core'
import fc from 'fast-check'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { type ErrorDetails, errorCode } from '../../../src/core/errors.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { GLOBAL_IDS } from '../../../src/ton/index.ts'
import { PriceBoard } from '../../../src/ton/price-board.ts'
import { TonWallet, type TonWalletInit, type WalletSharedNotice } from '../../../src/ton/ton-wallet.ts'
import { FaultyEndpoint, type SendFault, WalletChain } from '../../support/wallet-chain.ts'

const TON = 1_000_000_000n

let lastSeed = 0

/** A key that no other test uses: all share one chain. */
function newKey() {
  lastSeed++
  const seed = new Uint8Array(32)
  new DataView(seed.buffer).setUint32(0, lastSeed)
  return ed25519FromSeed(seed)
}

const promisesNothingSent = (code: string) => (err: { code?: string; details?: ErrorDetails }) =>
  err.code === code && err.details?.['sent'] === false

describe('the wallet', () => {
  let chain: WalletChain
  let notices: WalletSharedNotice[] = []
  let receiver = ''
  let receivers = 0

  before(async () => {
    chain = await WalletChain.create()
  })

  beforeEach(newReceiver)

  /** Nobody has sent to it yet. */
  function newReceiver(): void {
    receivers++
    receiver = `0:${receivers.toString(16).padStart(64, '5')}`
    notices = []
  }

  const parts = (rpc: FaultyEndpoint) => ({ rpc, prices: new PriceBoard({ rpc, clock: { nowMs: () => chain.nowMs } }) })

  function open(endpoint: FaultyEndpoint, key = newKey(), init: Partial<TonWalletInit> = {}): TonWallet {
    return new TonWallet(
      { ...parts(endpoint), sleep: ms => chain.pass(ms), onShared: notice => notices.push(notice) },
      { key, globalId: GLOBAL_IDS.simnet, ...init }
    )
  }

  async function funded(endpoint: FaultyEndpoint, key = newKey(), init: Partial<TonWalletInit> = {}) {
    const wallet = open(endpoint, key, init)
    await chain.fund(wallet.address, 100n * TON)
    return wallet
  }

  /** How often the receiver got exactly this much. */
  const received = (wallet: TonWallet, value: bigint): number =>
    chain
      .transactions(receiver, 0n, 100_000)
      .filter(
        ({ inMessage }) =>
          inMessage?.info.type === 'internal' &&
          inMessage.info.src.toRawString() === wallet.address &&
          inMessage.info.value.coins === value
      ).length

  const value = (n: number) => nanoTon(1_000_000n + BigInt(n))

  it('P50 20 concurrent transfers from one wallet all land exactly once', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    const sent = await Promise.all(Array.from({ length: 20 }, (_, n) => wallet.send(receiver, value(n))))
    assert.deepEqual(
      sent.map((_, n) => received(wallet, value(n))),
      sent.map(() => 1)
    )
    // Those of one moment share one message: one seqno, one block.
    assert.deepEqual([new Set(sent.map(({ transaction }) => transaction)).size, endpoint.sent], [1, 1])
    assert.deepEqual(notices, [])
  })

  it('P50 two processes on one key lose no transfer, pay none twice, and both are told', async () => {
    const key = newKey()
    const first = await funded(new FaultyEndpoint(chain), key)
    const second = open(new FaultyEndpoint(chain), key)
    const sends: Array<Promise<unknown>> = []
    for (let n = 0; n < 10; n++) {
      sends.push(first.send(receiver, value(n)), second.send(receiver, value(100 + n)))
      await chain.pass(10)
    }
    await Promise.all(sends)
    for (let n = 0; n < 10; n++) {
      assert.deepEqual([received(first, value(n)), received(first, value(100 + n))], [1, 1])
    }
    await first.send(receiver, value(200))
    await second.send(receiver, value(201))
    assert.ok(notices.length >= 2, `${notices.length} notices`)
    assert.equal(new Set(notices.map(({ wallet }) => wallet)).size, 1)
    assert.ok(chain.transactions(first.address).some(tx => tx.hash().toString('hex') === notices[0]?.transaction))
  })

  it('gives up with WALLET_SHARED where somebody else is always faster, and nothing of it was sent', async () => {
    const key = newKey()
    const other = await funded(new FaultyEndpoint(chain), key)
    const endpoint = new FaultyEndpoint(chain, async what => {
      if (what === 'send') {
        await other.send(receiver, value(1))
      }
    })
    await assert.rejects(open(endpoint, key).send(receiver, value(2)), promisesNothingSent('WALLET_SHARED'))
    assert.equal(received(other, value(2)), 0)
    assert.ok(notices.length > 0)
  })

  for (const fault of ['lands, then duplicate', 'lost answer'] as const) {
    it(`P49 a message that ${fault === 'lost answer' ? 'got no answer' : 'was refused as a duplicate'} but landed is found on chain and paid once`, async () => {
      const endpoint = new FaultyEndpoint(chain)
      const wallet = await funded(endpoint)
      endpoint.sendFaults = [fault]
      const { transaction } = await wallet.send(receiver, value(1))
      assert.ok(chain.transactions(wallet.address).some(tx => tx.hash().toString('hex') === transaction))
      assert.equal(received(wallet, value(1)), 1)
    })
  }

  it('P49 a refused message is handed in again as it is, never signed anew while it may still land', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    endpoint.sendFaults = ['lost, yet duplicate', 'never arrived', 'forgotten']
    await wallet.send(receiver, value(1))
    assert.deepEqual([received(wallet, value(1)), endpoint.sent], [1, 4])
    assert.deepEqual(notices, [])
  })

  it('P49 a message that never lands is given up only when the chain is past its validity', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    endpoint.sendFaults = Array.from({ length: 100 }, () => 'lost, yet duplicate')
    const startedAt = chain.chain.block.utime
    await assert.rejects(wallet.send(receiver, value(1)), promisesNothingSent('CHAIN_TIMEOUT'))
    assert.ok(chain.chain.block.utime > startedAt + 60)
    // What comes next is free to use the seqno.
    endpoint.sendFaults = []
    await wallet.send(receiver, value(2))
    assert.deepEqual([received(wallet, value(1)), received(wallet, value(2))], [0, 1])
  })

  it('gives up at once what the endpoint refused and nobody else can have', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    endpoint.sendFaults = ['refused']
    await assert.rejects(wallet.send(receiver, value(1)), promisesNothingSent('CHAIN_REFUSED'))
    await wallet.send(receiver, value(2))
    assert.deepEqual([received(wallet, value(1)), received(wallet, value(2))], [0, 1])
  })

  it('promises nothing while time stands still, and later finds its own message where it was given up', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    const frozen = new TonWallet(
      { ...parts(endpoint), sleep: async () => undefined, onShared: notice => notices.push(notice) },
      { key: newKey(), globalId: GLOBAL_IDS.simnet }
    )
    await chain.fund(frozen.address, TON)
    await assert.rejects(
      frozen.send(receiver, value(1)),
      (err: { code?: string; details?: ErrorDetails }) =>
        err.code === 'CHAIN_TIMEOUT' && err.details?.['sent'] === undefined
    )
    await chain.pass(0)
    assert.equal(received(frozen, value(1)), 1)
    const again = frozen.send(receiver, value(2))
    await chain.pass(0)
    await wallet.send(receiver, value(3))
    await again
    assert.deepEqual([received(frozen, value(1)), received(frozen, value(2)), notices.length], [1, 1, 0])
  })

  it('signs nothing over the state of a server that lags', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    await wallet.send(receiver, value(1))
    endpoint.lags = [true, true, true]
    const sentBefore = endpoint.sent
    await wallet.send(receiver, value(2))
    assert.deepEqual([received(wallet, value(2)), endpoint.sent - sentBefore], [1, 1])
  })

  it('P49 takes no message for displaced while a server hides the transaction that landed', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    endpoint.historyLags = [true, true, true]
    await wallet.send(receiver, value(1))
    assert.deepEqual([received(wallet, value(1)), endpoint.sent], [1, 1])
  })

  it('refuses what it cannot pay, and sends what is behind it', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = open(endpoint)
    await chain.fund(wallet.address, TON)
    const results = await Promise.allSettled([
      wallet.send(receiver, value(1)),
      wallet.send(receiver, nanoTon(2n * TON)),
      wallet.send(receiver, value(2))
    ])
    assert.deepEqual(
      results.map(result => (result.status === 'rejected' ? errorCode(result.reason) : 'sent')),
      ['sent', 'NOT_ENOUGH_BALANCE', 'sent']
    )
  })

  it('takes back a transfer that waits when its caller gives up, and only that one', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    const first = wallet.send(receiver, value(1))
    await Promise.resolve()
    const controller = new AbortController()
    const waiting = wallet.send(receiver, value(2), { signal: controller.signal })
    const last = wallet.send(receiver, value(3))
    controller.abort()
    await assert.rejects(waiting, promisesNothingSent('CANCELLED'))
    await Promise.all([first, last])
    assert.deepEqual(
      [1, 2, 3].map(n => received(wallet, value(n))),
      [1, 0, 1]
    )
  })

  it('P56 stray transfers to the wallet, written like bounces, settle and displace nothing', async () => {
    const endpoint = new FaultyEndpoint(chain)
    const wallet = await funded(endpoint)
    const stranger = await funded(new FaultyEndpoint(chain))
    const sends = Array.from({ length: 5 }, (_, n) => wallet.send(receiver, value(n)))
    const to = Address.parseRaw(wallet.address)
    // As the chain writes them: 0xffffffff and the beginning of what was sent.
    const body = beginCell().storeUint(0xffffffff, 32).storeUint(0xc0c00001, 32).endCell()
    const strays = Array.from({ length: 5 }, (_, n) => stranger.transfer({ to, value: value(n), bounce: false, body }))
    await Promise.all([...sends, ...strays])
    assert.deepEqual(
      sends.map((_, n) => received(wallet, value(n))),
      sends.map(() => 1)
    )
    assert.deepEqual(notices, [])
  })

  it('P50 under any interleaving and any fault, what is reported is what the chain has', async () => {
    const fault = fc.constantFrom<SendFault>(
      'taken',
      'forgotten',
      'lost answer',
      'never arrived',
      'lands, then duplicate',
      'lost, yet duplicate',
      'refused'
    )
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ process: fc.nat(1), giveUp: fc.boolean() }), { minLength: 2, maxLength: 6 }),
        fc.array(fault, { maxLength: 12 }),
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.array(fc.boolean(), { maxLength: 12 }),
        async (s, transfers, sendFaults, lags, historyLags) => {
          newReceiver()
          const tick = (what: string): Promise<void> => s.schedule(Promise.resolve(), what)
          const key = newKey()
          const wallets = [0, 1].map(process => {
            const endpoint = new FaultyEndpoint(chain, tick)
            endpoint.sendFaults = sendFaults.filter((_, index) => index % 2 === process)
            endpoint.lags = lags.filter((_, index) => index % 2 === process)
            endpoint.historyLags = historyLags.filter((_, index) => index % 2 === process)
            const sleep = async (ms: number): Promise<void> => {
              await tick('sleep')
              await chain.pass(ms)
            }
            return new TonWallet(
              { ...parts(endpoint), sleep },
              { key, globalId: GLOBAL_IDS.simnet, validForSeconds: 10, timeoutMs: 40_000 }
            )
          })
          const [wallet] = wallets
          assert.ok(wallet !== undefined)
          await chain.fund(wallet.address, 10n * TON)
          const calls = transfers.map(async ({ process, giveUp }, n) => {
            await tick('request')
            const controller = new AbortController()
            if (giveUp) {
              void tick('give up').then(() => controller.abort())
            }
            await wallets[process]?.send(receiver, value(n), { signal: controller.signal })
          })
          const results = await s.waitFor(Promise.allSettled(calls))
          // Whatever was signed lands or expires.
          await chain.pass(0)
          await chain.pass(60_000)
          for (const [n, result] of results.entries()) {
            const times = received(wallet, value(n))
            if (result.status === 'fulfilled') {
              assert.equal(times, 1, `transfer ${n} was reported as sent`)
            } else {
              const { details } = result.reason as { details: ErrorDetails }
              const most = details['sent'] === false ? 0 : 1
              assert.ok(
                times <= most,
                `transfer ${n} failed with ${errorCode(result.reason)} and landed ${times} times`
              )
            }
          }
        }
      ),
      { numRuns: 60 }
    )
  })
})
