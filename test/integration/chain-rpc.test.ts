import assert from 'node:assert/strict'
import { ChainServer } from '../../simnet/chain/chain-server.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { ChainRpc } from '../../src/ton/chain-rpc.ts'
import { GLOBAL_IDS } from '../../src/ton/index.ts'
import { ChainFixture, milliTon, type Party, signVoucher, terms, until } from './chain-fixture.ts'

const KEY = 'a-key-nobody-may-see'

describe('chain access over real servers', () => {
  let fixture: ChainFixture
  let replica: ChainServer
  let payer: Party
  let payee: Party
  let lines: string[]

  beforeEach(async () => {
    lines = []
    fixture = new ChainFixture()
    await fixture.server.start()
    replica = new ChainServer({ replicaOf: fixture.server })
    await replica.start()
    payer = await party(1)
    payee = await party(2)
    await fixture.fund(payer.wallet, milliTon(5_000))
    await fixture.fund(payee.wallet, milliTon(500))
  })

  afterEach(async () => {
    await replica.stop()
    await fixture.server.stop()
    assert.ok(lines.every(line => !line.includes(KEY)))
  })

  async function party(seed: number, order: 'main first' | 'replica first' = 'main first'): Promise<Party> {
    const servers = [fixture.server, replica].map(server => ({ endpoint: server.endpoint, apiKey: KEY }))
    const [first, second] = order === 'main first' ? servers : servers.toReversed()
    return fixture.party(seed, {
      endpoint: '',
      ...first,
      fallbacks: second === undefined ? [] : [second],
      timeoutMs: 15_000,
      lagLimitMs: 10_000
    })
  }

  async function faults(server: ChainServer, body: object): Promise<void> {
    const response = await fetch(`${server.url}/simnet/faults`, { method: 'POST', body: JSON.stringify(body) })
    assert.equal(response.status, 200)
  }

  function rpc(init: { fallbacks?: Array<{ endpoint: string }>; lagLimitMs?: number } = {}): ChainRpc {
    const warn = (message: string, fields = {}): void => void lines.push(`${message} ${JSON.stringify(fields)}`)
    return new ChainRpc(
      { logger: { ...silentLogger, warn } },
      { endpoint: fixture.server.endpoint, apiKey: KEY, globalId: GLOBAL_IDS.simnet, ...init }
    )
  }

  it('reads parameters of the chain configuration', async () => {
    const chain = rpc()
    assert.equal((await chain.configParam(19)).beginParse().loadInt(32), -217)
    for (const id of [18, 20, 21, 24, 25]) {
      const { bits, refs } = await chain.configParam(id)
      assert.ok(bits.length + refs.length > 0, `parameter ${id}`)
    }
  })

  it('says as of when an account is shown', async () => {
    const view = await rpc().account(`0:${'11'.repeat(32)}`)
    assert.deepEqual([view.balance, view.active, view.lastLt], [0n, false, 0n])
    assert.ok(Math.abs(view.asOfMs - Date.now()) < 10_000 && view.blockSeqno >= 1)
  })

  it('P53 opens, tops up and claims over a server that is blocks behind, whichever is first', async () => {
    await faults(replica, { lagBlocks: 12 })
    for (const [order, salt] of [['main first', 1n] as const, ['replica first', 2n] as const]) {
      const [from, to] = [await party(1, order), await party(2, order)]
      const { channel, openedLt } = await from.chain.openChannel(terms(from, to, { salt }), milliTon(500))
      await from.chain.topUp(channel, milliTon(100))
      await to.chain.claim(channel, signVoucher(from, channel, openedLt, milliTon(50)))
      const view = await to.chain.readChannel(channel)
      assert.deepEqual([view.state, view.deposit, view.settled], ['open', milliTon(600), milliTon(50)])
    }
  })

  it('P53 never shows a channel in a state it has left, when its server falls behind', async () => {
    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), milliTon(500))
    await payee.chain.claim(channel, signVoucher(payer, channel, openedLt, milliTon(50)))
    await payer.chain.startClose(channel)
    assert.equal((await payee.chain.readChannel(channel)).state, 'closing')
    await faults(fixture.server, { lagBlocks: 250 })
    const view = await payee.chain.readChannel(channel)
    assert.deepEqual([view.state, view.settled], ['closing', milliTon(50)])
  })

  it('goes on with the second server when the first dies, in the middle of a job and while sending', async () => {
    const order = await party(1, 'replica first')
    const { channel } = await order.chain.openChannel(terms(order, payee), milliTon(500))
    await faults(replica, { down: true })
    await order.chain.topUp(channel, milliTon(100))
    assert.equal((await order.chain.readChannel(channel)).deposit, milliTon(600))
  })

  it('sends once over two servers, when the first forgets to answer', async () => {
    const order = await party(1, 'replica first')
    const before = await payee.wallet.balance()
    await faults(replica, { delayMs: 300 })
    const impatient = await fixture.party(1, {
      endpoint: replica.endpoint,
      fallbacks: [{ endpoint: fixture.server.endpoint }],
      requestTimeoutMs: 150,
      timeoutMs: 15_000
    })
    await impatient.wallet.send(payee.wallet.address, milliTon(7))
    await faults(replica, { delayMs: 0 })
    await until(async () => (await payee.wallet.balance()) > before)
    const received = (await order.chain.transactionsOf(payee.wallet.address)).filter(
      tx => tx.from === order.wallet.address && tx.inValue === milliTon(7)
    )
    assert.equal(received.length, 1)
  })

  it('lands a message that both servers were handed exactly once', async () => {
    await faults(fixture.server, { duplicateSeqno: true })
    await faults(replica, { duplicateSeqno: true, delayMs: 300 })
    const impatient = await fixture.party(1, {
      endpoint: replica.endpoint,
      fallbacks: [{ endpoint: fixture.server.endpoint }],
      requestTimeoutMs: 200,
      timeoutMs: 15_000
    })
    for (let count = 0; count < 3; count++) {
      await impatient.wallet.send(payee.wallet.address, milliTon(3))
    }
    const received = (await payee.chain.transactionsOf(payee.wallet.address)).filter(tx => tx.inValue === milliTon(3))
    assert.equal(received.length, 3)
  })

  it('moves no money on what one of two servers made up', async () => {
    const { channel, openedLt } = await payer.chain.openChannel(terms(payer, payee), milliTon(500))
    const before = await payee.wallet.balance()
    for (const forge of ['balance', 'data', 'missing']) {
      await faults(replica, { forge })
      const [from, to] = [await party(1, 'replica first'), await party(2)]
      const unsent = (err: { code?: string; details?: { sent?: boolean } }): boolean =>
        /^CHAIN_(INCONSISTENT|LAGGING)$/.test(err.code ?? '') && err.details?.sent === false
      await assert.rejects(from.wallet.send(payee.wallet.address, milliTon(1)), unsent, forge)
      await assert.rejects(from.chain.topUp(channel, milliTon(1)), unsent, forge)
      await assert.rejects(to.chain.claim(channel, signVoucher(payer, channel, openedLt, milliTon(50))), unsent, forge)
    }
    await faults(replica, { forge: false })
    const { deposit, settled } = await payer.chain.readChannel(channel)
    assert.deepEqual([deposit, settled], [milliTon(500), 0n])
    assert.equal(await payee.wallet.balance(), before)
  })

  it('P52 shows no opening that only one of two servers shows, nor one as gone', async () => {
    // The replica shows the chain of before the opening: for it the channel is made up.
    await faults(replica, { forge: 'missing' })
    const honest = await fixture.party(1)
    const { channel } = await honest.chain.openChannel(terms(honest, payee), milliTon(500))
    const provider = async (): Promise<Party> =>
      fixture.party(2, {
        endpoint: fixture.server.endpoint,
        fallbacks: [{ endpoint: replica.endpoint }],
        lagLimitMs: 1_500
      })
    const code = (err: { code?: string }): boolean => /^CHAIN_(LAGGING|INCONSISTENT)$/.test(err.code ?? '')
    await assert.rejects((await provider()).chain.readChannel(channel), code)
    await faults(replica, { forge: false })
    const { chain } = await provider()
    assert.equal((await chain.readChannel(channel)).state, 'open')
    // The other way round: what was open is gone, for one of them.
    await faults(fixture.server, { forge: 'missing' })
    await until(async () =>
      chain.readChannel(channel).then(
        ({ state }) => state !== 'open' && assert.fail(`shown as ${state}`),
        (err: { code?: string }) => code(err)
      )
    )
  })

  it('P52 asks the chain again after an outage, and takes nothing from memory', async () => {
    const { channel } = await payer.chain.openChannel(terms(payer, payee), milliTon(500))
    const { chain } = payee
    assert.equal((await chain.readChannel(channel)).state, 'open')
    await faults(fixture.server, { down: true })
    await faults(replica, { down: true })
    await assert.rejects(chain.readChannel(channel), { code: 'CHAIN_UNREACHABLE' })
    await faults(fixture.server, { down: false })
    await faults(replica, { down: false })
    await payer.chain.startClose(channel)
    await until(async () =>
      chain.readChannel(channel).then(
        ({ state }) => state === 'closing',
        () => false
      )
    )
  })

  it('refuses servers of another network', async () => {
    await faults(fixture.server, { wrongNetwork: true })
    const both = rpc({ fallbacks: [{ endpoint: replica.endpoint }] })
    assert.ok((await both.account(payer.wallet.address)).balance > 0n)
    assert.ok(lines.some(line => line.includes('CHAIN_WRONG_NETWORK') && line.includes(fixture.server.url)))
    await assert.rejects(rpc().tip(), { code: 'CHAIN_WRONG_NETWORK' })
  })

  it('is slowed down by a server that allows few requests, and not stopped', async () => {
    await faults(fixture.server, { rateLimit: 4 })
    const chain = rpc()
    const shown = await Promise.all(Array.from({ length: 12 }, async () => chain.account(payer.wallet.address)))
    assert.equal(shown.length, 12)
  })

  it('sends plain coins over a pair of servers, with prices that both show', async () => {
    const sent = await payer.wallet.send(payee.wallet.address, nanoTon(1_000_000n))
    assert.match(sent.transaction, /^[0-9a-f]{64}$/)
  })
})
