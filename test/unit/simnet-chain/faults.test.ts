import assert from 'node:assert/strict'
import { beginCell, Cell, external, SendMode, storeMessage } from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton'
import { ChainServer } from '../../../simnet/chain/chain-server.ts'
import { noFaults, setFaults } from '../../../simnet/chain/faults.ts'
import { SIMNET_GLOBAL_ID } from '../../../simnet/chain/sim-blockchain.ts'
import { SimChain } from '../../../simnet/chain/sim-chain.ts'
import { ToncenterMethods } from '../../../simnet/chain/toncenter-methods.ts'
import { ed25519FromSeed, ed25519Sign } from '../../../src/core/ed25519.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'

type Json = Record<string, unknown>

const key = ed25519FromSeed(new Uint8Array(32).fill(4))
const wallet = WalletContractV5R1.create({
  workchain: 0,
  publicKey: Buffer.from(key.publicKey),
  walletId: { networkGlobalId: SIMNET_GLOBAL_ID }
})

describe('setFaults', () => {
  it('takes every switch with its values, and changes nothing on a mistake', () => {
    const all = {
      down: true,
      delayMs: 60_000,
      dropSends: true,
      stall: true,
      pruned: true,
      lagBlocks: 256,
      wrongNetwork: true,
      forge: 'balance',
      rateLimit: 5,
      duplicateSeqno: true
    }
    const faults = noFaults()
    assert.deepEqual(Object.keys(all), Object.keys(faults))
    setFaults(faults, all)
    assert.deepEqual(faults, all)
    const bad: unknown[] = [
      { lagBlocks: 257 },
      { lagBlocks: -1 },
      { lagBlocks: 1.5 },
      { lagBlocks: true },
      { rateLimit: '5' },
      { forge: true },
      { forge: 'coins' },
      { wrongNetwork: 1 },
      { duplicateSeqno: 'yes' },
      { toString: true },
      { __proto__: null, constructor: true }
    ]
    for (const change of bad) {
      assert.throws(() => setFaults(faults, { down: false, ...(change as Json) }), { code: 'FAULTS_INVALID' })
    }
    assert.deepEqual(faults, all)
    setFaults(faults, noFaults())
    assert.deepEqual(faults, noFaults())
  })
})

describe('a chain with faults', () => {
  const faults = noFaults()
  let chain: SimChain
  let methods: ToncenterMethods

  beforeEach(async () => {
    setFaults(faults, noFaults())
    let nowMs = 1_800_000_000_000
    chain = await SimChain.create({ nowMs: () => (nowMs += 1_000) })
    methods = new ToncenterMethods(chain, faults)
    for (let coins = 0; coins < 3; coins++) {
      chain.fund(wallet.address, nanoTon(1_000_000_000n))
      await chain.produceBlock()
    }
    await chain.sendExternal(await transfer(0))
    await chain.produceBlock()
  })

  async function transfer(seqno: number): Promise<Buffer> {
    const body = await wallet.createTransfer({
      seqno,
      timeout: 2_000_000_000,
      sendMode: SendMode.PAY_GAS_SEPARATELY | SendMode.IGNORE_ERRORS,
      messages: [],
      signer: async cell => Buffer.from(ed25519Sign(key.privateKey, cell.hash()))
    })
    const message = external({ to: wallet.address, body, ...(seqno === 0 ? { init: wallet.init } : {}) })
    return beginCell().store(storeMessage(message)).endCell().toBoc()
  }

  async function account(): Promise<Json> {
    return (await methods.call('getAddressInformation', { address: wallet.address.toString() })) as Json
  }

  async function transactions(): Promise<Json[]> {
    return (await methods.call('getTransactions', { address: wallet.address.toString(), limit: 10 })) as Json[]
  }

  async function tip(): Promise<Json> {
    return ((await methods.call('getMasterchainInfo', {})) as { last: Json }).last
  }

  it('shows account, transactions and tip of the same block, so many blocks ago', async () => {
    const seen: string[] = []
    for (let lagBlocks = 0; lagBlocks <= 4; lagBlocks++) {
      setFaults(faults, { lagBlocks })
      const shown = await account()
      const list = await transactions()
      assert.deepEqual(shown['block_id'], await tip())
      assert.equal(list.length, 4 - lagBlocks)
      const last = shown['last_transaction_id'] as Json
      assert.equal(last['lt'], (list[0]?.['transaction_id'] as Json | undefined)?.['lt'] ?? '0')
      assert.equal(last['hash'], (list[0]?.['transaction_id'] as Json | undefined)?.['hash'] ?? last['hash'])
      seen.push(`${String(shown['state'])} ${BigInt(String(shown['balance'])) / 1_000_000_000n}`)
    }
    assert.deepEqual(seen, ['active 2', 'uninitialized 2', 'uninitialized 1', 'uninitialized 1', 'uninitialized 0'])
    setFaults(faults, { lagBlocks: 0 })
    const block = chain.block
    setFaults(faults, { lagBlocks: 2 })
    await chain.produceBlock()
    await chain.produceBlock()
    assert.deepEqual((await tip())['seqno'], block.seqno)
    assert.equal((await account())['state'], 'active')
  })

  async function lookedUp(seqno: number, from = methods): Promise<unknown> {
    return from.call('lookupBlock', { workchain: -1, shard: '-9223372036854775808', seqno })
  }

  it('looks up every block it has shown, also after a restart, and none that is not there yet', async () => {
    const before = await tip()
    const seqno = Number(before['seqno'])
    assert.deepEqual(await lookedUp(seqno), before)
    await chain.produceBlock()
    assert.notDeepEqual((await tip())['root_hash'], before['root_hash'])
    assert.deepEqual(await lookedUp(seqno), before)
    const missing = { code: 'BLOCK_NOT_FOUND', message: /ltdb: block not found \(last known masterchain block: \d+\)$/ }
    await assert.rejects(lookedUp(seqno + 2), missing)
    setFaults(faults, { lagBlocks: 1 })
    await assert.rejects(lookedUp(seqno + 1), missing)
    assert.deepEqual(await lookedUp(seqno), await tip())
    setFaults(faults, { lagBlocks: 0, forge: 'block' })
    assert.deepEqual(await lookedUp(seqno + 1), await tip())
    setFaults(faults, { forge: false })
    const saved = JSON.parse(JSON.stringify(await chain.serialize())) as Awaited<ReturnType<SimChain['serialize']>>
    const again = await SimChain.restore(saved, { nowMs: () => (chain.block.utime + 100) * 1_000 }, 400)
    const methodsAgain = new ToncenterMethods(again, faults)
    assert.deepEqual(await lookedUp(seqno, methodsAgain), before)
    // Those that passed while it was down are blocks too.
    assert.equal(((await lookedUp(again.block.seqno - 1, methodsAgain)) as Json)['seqno'], again.block.seqno - 1)
    const other = new ToncenterMethods(await SimChain.create({ nowMs: () => 1_900_000_000_000 }), faults)
    assert.notDeepEqual(((await lookedUp(1, other)) as Json)['root_hash'], ((await lookedUp(1)) as Json)['root_hash'])
  })

  it('goes on with a chain that an older version saved', async () => {
    const { blockSeed: _, ...saved } = await chain.serialize()
    const again = await SimChain.restore(saved, { nowMs: () => chain.block.utime * 1_000 }, 400)
    assert.ok(again.block.seqno > chain.block.seqno)
    assert.deepEqual(again.block.rootHash, again.blockHash(again.block.seqno))
  })

  it('looks up masterchain blocks by number only', async () => {
    const params = { workchain: -1, shard: '-9223372036854775808', seqno: 1 }
    for (const change of [
      { workchain: 0 },
      { shard: '-9223372036854775807' },
      { shard: -(2 ** 63) },
      { seqno: 0 },
      { seqno: '1' }
    ]) {
      await assert.rejects(methods.call('lookupBlock', { ...params, ...change }), { code: 'PARAMS_INVALID' })
    }
    const { seqno: _, ...unnamed } = params
    await assert.rejects(methods.call('lookupBlock', unnamed), { code: 'PARAMS_INVALID' })
  })

  it('remembers no more than it has to, and the newest states for ever', async () => {
    for (let block = 0; block < 600; block++) {
      await chain.produceBlock()
    }
    setFaults(faults, { lagBlocks: 256 })
    assert.equal((await account())['state'], 'active')
    assert.equal((await tip())['seqno'], chain.block.seqno - 256)
  })

  it('goes on with new block numbers after a restart, however long ago it was saved', async () => {
    const saved = await chain.serialize()
    const seqno = chain.block.seqno
    const laterMs = (chain.block.utime + 100) * 1_000
    const again = await SimChain.restore(saved, { nowMs: () => laterMs }, 400)
    assert.ok(again.block.seqno >= seqno + 250)
    const methodsAgain = new ToncenterMethods(again, faults)
    const shown = (await methodsAgain.call('getAddressInformation', { address: wallet.address.toString() })) as Json
    assert.equal(shown['state'], 'active')
  })

  it('says that it is another network, and nothing else is different', async () => {
    const network = async (): Promise<number> => {
      const { config } = (await methods.call('getConfigParam', { config_id: 19 })) as { config: { bytes: string } }
      return Cell.fromBase64(config.bytes).beginParse().loadInt(32)
    }
    const prices = await methods.call('getConfigParam', { config_id: 21 })
    assert.equal(await network(), SIMNET_GLOBAL_ID)
    setFaults(faults, { wrongNetwork: true })
    assert.equal(await network(), -3)
    assert.deepEqual(await methods.call('getConfigParam', { config_id: 21 }), prices)
    for (const config_id of [undefined, '19', 1.5, 9_999_999]) {
      await assert.rejects(methods.call('getConfigParam', { config_id }), { code: 'PARAMS_INVALID' })
    }
  })

  it('alters what it is told to and only that', async () => {
    const honest = await account()
    const list = await transactions()
    const changed: Array<[string, string[]]> = [
      ['balance', ['balance']],
      ['data', ['data']],
      ['boc', ['code']],
      ['block', ['block_id']],
      ['missing', ['balance', 'code', 'data', 'last_transaction_id', 'state']],
      ['transactions', []]
    ]
    for (const [forge, names] of changed) {
      setFaults(faults, { forge })
      const forged = await account()
      assert.deepEqual(
        Object.keys(honest).filter(name => JSON.stringify(honest[name]) !== JSON.stringify(forged[name])),
        names.toSorted((a, b) => Object.keys(honest).indexOf(a) - Object.keys(honest).indexOf(b)),
        forge
      )
      assert.equal(JSON.stringify(await transactions()) === JSON.stringify(list), forge !== 'transactions')
    }
  })

  it('refuses a message that it saw before with the words of the public server', async () => {
    const boc = (await transfer(1)).toString('base64')
    await methods.call('sendBoc', { boc })
    await methods.call('sendBoc', { boc })
    setFaults(faults, { duplicateSeqno: true })
    await assert.rejects(methods.call('sendBoc', { boc }), /Duplicate msg_seqno/)
    await assert.rejects(
      methods.call('sendBoc', { boc: (await transfer(7)).toString('base64') }),
      /cannot apply external message to current state/
    )
  })
})

describe('a server with faults', () => {
  it('answers so many requests a second, and others with HTTP 429', async () => {
    let nowMs = 1_800_000_000_000
    const server = new ChainServer({ clock: { nowMs: () => nowMs } })
    await server.start()
    try {
      const ask = async (): Promise<number> =>
        (await fetch(server.endpoint, { method: 'POST', body: '{"method":"getMasterchainInfo"}' })).status
      await fetch(`${server.url}/simnet/faults`, { method: 'POST', body: '{"rateLimit":2}' })
      assert.deepEqual([await ask(), await ask(), await ask()], [200, 200, 429])
      nowMs += 1_000
      assert.deepEqual([await ask(), await ask(), await ask()], [200, 200, 429])
      assert.equal((await fetch(`${server.url}/simnet/health`)).status, 200)
    } finally {
      await server.stop()
    }
  })

  it('shows the chain of another one with faults of its own', async () => {
    const first = new ChainServer({}, { blockTimeMs: 10 })
    await first.start()
    const replica = new ChainServer({ replicaOf: first })
    await replica.start()
    try {
      await fetch(`${replica.url}/simnet/faults`, { method: 'POST', body: '{"down":true}' })
      const body = '{"method":"getMasterchainInfo"}'
      await assert.rejects(fetch(replica.endpoint, { method: 'POST', body }))
      assert.equal((await fetch(first.endpoint, { method: 'POST', body })).status, 200)
      const { seqno } = (await (await fetch(`${replica.url}/simnet/health`)).json()) as { seqno: number }
      assert.ok(seqno >= 1)
    } finally {
      await replica.stop()
      await first.stop()
    }
  })
})
