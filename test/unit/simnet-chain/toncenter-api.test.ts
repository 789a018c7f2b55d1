import assert from 'node:assert/strict'
import { beginCell, external, SendMode, storeMessage } from '@ton/core'
import { TonClient, WalletContractV5R1 } from '@ton/ton'
import { ChainServer } from '../../../simnet/chain/chain-server.ts'
import { SIMNET_GLOBAL_ID } from '../../../simnet/chain/sim-blockchain.ts'
import { ed25519FromSeed, ed25519Sign } from '../../../src/core/ed25519.ts'

describe('the chain server as the stock TonClient sees it', () => {
  const key = ed25519FromSeed(new Uint8Array(32).fill(3))
  const wallet = WalletContractV5R1.create({
    workchain: 0,
    publicKey: Buffer.from(key.publicKey),
    walletId: { networkGlobalId: SIMNET_GLOBAL_ID }
  })
  let server: ChainServer
  let client: TonClient

  before(async () => {
    server = new ChainServer({}, { blockTimeMs: 20 })
    await server.start()
    client = new TonClient({ endpoint: server.endpoint })
    await post('/simnet/faucet', { address: wallet.address.toString(), amount: '1000000000' })
    await until(async () => (await client.getBalance(wallet.address)) === 1_000_000_000n)
  })

  after(async () => {
    await server.stop()
  })

  async function post(
    path: string,
    body: unknown
  ): Promise<{ status: number; body: { ok: boolean; error?: string; result?: unknown } }> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${server.url}${path}`, { method: 'POST', body: text })
    return { status: response.status, body: (await response.json()) as { ok: boolean } }
  }

  async function call(method: string, params: object): ReturnType<typeof post> {
    return post('/api/v2/jsonRPC', { id: '1', jsonrpc: '2.0', method, params })
  }

  async function transferBoc(seqno: number): Promise<Buffer> {
    const body = await wallet.createTransfer({
      seqno,
      timeout: Math.floor(Date.now() / 1000) + 60,
      sendMode: SendMode.PAY_GAS_SEPARATELY | SendMode.IGNORE_ERRORS,
      messages: [],
      signer: async cell => Buffer.from(ed25519Sign(key.privateKey, cell.hash()))
    })
    const message = external({ to: wallet.address, body, ...(seqno === 0 ? { init: wallet.init } : {}) })
    return beginCell().store(storeMessage(message)).endCell().toBoc()
  }

  it('runs its own wallet code: deploys, sends, counts', async () => {
    assert.equal(await client.isContractDeployed(wallet.address), false)
    await client.sendFile(await transferBoc(0))
    await until(async () => client.isContractDeployed(wallet.address))
    assert.equal(await client.open(wallet).getSeqno(), 1)
  })

  it('shows the effect of a message with the next block and not before', async () => {
    await post('/simnet/faults', { stall: true })
    const before = await client.getMasterchainInfo()
    await post('/simnet/faucet', { address: wallet.address.toString(), amount: '5000000' })
    const balance = await client.getBalance(wallet.address)
    assert.equal((await client.getMasterchainInfo()).latestSeqno, before.latestSeqno)
    await post('/simnet/faults', { stall: false })
    await until(async () => (await client.getBalance(wallet.address)) > balance)
    assert.ok((await client.getMasterchainInfo()).latestSeqno > before.latestSeqno)
  })

  it('lists transactions newest first, from a given one on', async () => {
    const all = await client.getTransactions(wallet.address, { limit: 10 })
    assert.ok(all.length >= 2)
    assert.deepEqual(
      all.map(tx => tx.lt),
      all.map(tx => tx.lt).toSorted((a, b) => (a > b ? -1 : 1))
    )
    const { lastTransaction } = await client.getContractState(wallet.address)
    assert.equal(lastTransaction?.lt, all[0]?.lt.toString())
    assert.equal(lastTransaction?.hash, all[0]?.hash().toString('base64'))
    const second = all[1] ?? assert.fail()
    const from = { lt: second.lt.toString(), hash: second.hash().toString('base64') }
    assert.deepEqual(
      (await client.getTransactions(wallet.address, { limit: 1, ...from, inclusive: true })).map(tx => tx.lt),
      [second.lt]
    )
    const next = await client.getTransactions(wallet.address, { limit: 1, ...from })
    assert.deepEqual(
      next.map(tx => tx.lt),
      all.slice(2, 3).map(tx => tx.lt)
    )
    assert.equal((await client.getTransaction(wallet.address, from.lt, from.hash))?.lt, second.lt)
  })

  it('answers a bad message with HTTP 500 as the real one does', async () => {
    const replay = await call('sendBoc', { boc: (await transferBoc(0)).toString('base64') })
    assert.deepEqual([replay.status, replay.body.ok], [500, false])
    assert.match(replay.body.error ?? '', /^LITE_SERVER_UNKNOWN: cannot apply external message to current state/)
    await assert.rejects(
      client.sendFile(await transferBoc(0)),
      (err: { response?: { status?: number } }) => err.response?.status === 500
    )
    assert.equal((await call('sendBoc', { boc: 'AAAA' })).status, 500)
    assert.equal((await call('sendBoc', { boc: 5 })).status, 422)
  })

  it('drops the second of two messages with one seqno', async () => {
    const seqno = await client.open(wallet).getSeqno()
    await post('/simnet/faults', { stall: true })
    const boc = await transferBoc(seqno)
    await client.sendFile(boc)
    await client.sendFile(boc)
    await post('/simnet/faults', { stall: false })
    await until(async () => (await client.open(wallet).getSeqno()) > seqno)
    assert.equal(await client.open(wallet).getSeqno(), seqno + 1)
  })

  it('runs get-methods, and tells a missing one and a missing contract by exit code', async () => {
    assert.equal((await client.runMethodWithError(wallet.address, 'seqno')).exit_code, 0)
    assert.equal((await client.runMethodWithError(wallet.address, 'no_such_method')).exit_code, 11)
    const nobody = WalletContractV5R1.create({ workchain: 0, publicKey: Buffer.alloc(32, 9) }).address
    assert.equal((await client.runMethodWithError(nobody, 'seqno')).exit_code, -13)
    assert.deepEqual(await client.getTransactions(nobody, { limit: 5 }), [])
    const state = await client.getContractState(nobody)
    assert.deepEqual([state.state, state.balance, state.lastTransaction], ['uninitialized', 0n, null])
  })

  it('refuses what it does not understand, and goes on', async () => {
    assert.equal((await call('getShards', {})).status, 404)
    assert.equal((await call('getAddressInformation', { address: 'EQ' })).status, 422)
    assert.equal(
      (await call('runGetMethod', { address: wallet.address.toString(), method: 'seqno', stack: [['num', 'x']] }))
        .status,
      422
    )
    assert.equal((await call('getTransactions', { address: wallet.address.toString(), limit: -1 })).status, 422)
    assert.equal((await post('/api/v2/jsonRPC', '{')).status, 400)
    assert.equal((await post('/api/v2/jsonRPC', 'null')).status, 400)
    assert.equal((await post('/api/v2/jsonRPC', `"${'x'.repeat(200_000)}"`)).status, 413)
    assert.equal((await post('/simnet/faults', { down: 1 })).status, 400)
    assert.equal((await post('/simnet/faults', { typo: true })).status, 400)
    assert.equal((await post('/simnet/faucet', { address: 'x', amount: '1' })).status, 400)
    assert.equal((await post('/simnet/faucet', { address: wallet.address.toString(), amount: 1 })).status, 400)
    assert.equal((await fetch(`${server.url}/simnet/nothing`)).status, 404)
    const health = (await (await fetch(`${server.url}/simnet/health`)).json()) as {
      ok: boolean
      faults: { down: boolean }
    }
    assert.deepEqual([health.ok, health.faults.down], [true, false])
  })
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + 5_000; !(await holds()); await new Promise(resolve => setTimeout(resolve, 10))) {
    assert.ok(Date.now() < endMs, 'the condition did not come true within 5 s')
  }
}
