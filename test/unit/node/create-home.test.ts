import assert from 'node:assert/strict'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createHome as createHomeFolder,
  createKeyFile,
  homeFolder,
  loadConfig,
  lockHome,
  readKeyFile,
  readKeySecret
} from '../../../src/config/index.ts'
import { createHome } from '../../../src/node/index.ts'
import { mnemonicSeed } from '../../../src/ton/index.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

const ENDPOINT = 'http://127.0.0.1:1/api/v2/jsonRPC'
const PEER = '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'

/** The cheapest that is read: these tests are not about cost. */
const CHEAP = { N: 2 ** 14, r: 8, p: 1 }

describe('creating a home', () => {
  const folder = useTempFolder()
  const path = (): string => join(folder(), 'node')

  it('makes keys that only their owner reads, and a configuration that loads', async () => {
    const created = await createHome({ home: path(), network: 'simnet', chainEndpoint: ENDPOINT, bootstrap: [PEER] })
    assert.equal(created.home, path())
    assert.match(created.peerId, /^12D3KooW/)
    assert.match(created.walletAddress, /^0:[0-9a-f]{64}$/)
    const home = homeFolder(path())
    const config = await loadConfig(home)
    assert.deepEqual([config.network, config.chain.endpoint, config.mesh.bootstrap], ['simnet', ENDPOINT, [PEER]])
    // A simnet stays on this machine.
    assert.deepEqual([config.mesh.listen, config.mesh.mdns], [['/ip4/127.0.0.1/tcp/0'], false])
    const keys = await readdir(home.keysFolder)
    assert.equal(keys.length, 3)
    for (const key of keys) {
      assert.equal((await stat(join(home.keysFolder, key))).mode & 0o777, 0o600)
    }
  })

  it('leaves defaults out of the file, and needs no endpoint where the network has a public one', async () => {
    const { walletAddress } = await createHome({ home: path(), network: 'testnet' })
    const home = homeFolder(path())
    const file = { network: 'testnet', wallet: walletAddress }
    assert.deepEqual(JSON.parse(await readFile(home.configFile, 'utf8')), file)
    assert.equal((await loadConfig(home)).client.allowSimulated, false)
  })

  it('makes the wallet of new words, or of those that are given', async () => {
    const first = await createHome({ home: path(), network: 'testnet' })
    assert.match(first.friendlyAddress, /^0Q/)
    const { seed, words } = await readKeySecret(homeFolder(path()), 'wallet')
    assert.equal(words?.length, 24)
    assert.deepEqual(await mnemonicSeed(words), seed)
    const mnemonic = words.join(' ')
    const second = await createHome({ home: join(folder(), 'second'), network: 'testnet', mnemonic })
    assert.equal(second.walletAddress, first.walletAddress)
    assert.notEqual(second.peerId, first.peerId)
    const main = await createHome({ home: join(folder(), 'main'), network: 'mainnet', mnemonic })
    assert.notEqual(main.walletAddress, first.walletAddress)
    assert.match(main.friendlyAddress, /^UQ/)
  })

  it('makes nothing of words that are none, and never another wallet than an earlier try', async () => {
    await assert.rejects(createHome({ home: path(), network: 'testnet', mnemonic: 'one two three' }), {
      code: 'MNEMONIC_INVALID'
    })
    await assert.rejects(stat(path()), { code: 'ENOENT' })
    const other = await createHome({ home: join(folder(), 'other'), network: 'testnet' })
    const { words } = await readKeySecret(homeFolder(other.home), 'wallet')
    const mnemonic = words?.join(' ') ?? ''
    const first = await createHome({ home: path(), network: 'testnet' })
    await rm(homeFolder(path()).configFile)
    await assert.rejects(createHome({ home: path(), network: 'testnet', mnemonic }), { code: 'KEY_EXISTS' })
    assert.deepEqual(await createHome({ home: path(), network: 'testnet' }), first)
  })

  it('refuses a home that is one already, and changes nothing of it', async () => {
    await createHome({ home: path(), network: 'testnet' })
    const before = await readFile(homeFolder(path()).configFile, 'utf8')
    await assert.rejects(createHome({ home: path(), network: 'mainnet' }), { code: 'HOME_EXISTS', errorClass: 'usage' })
    assert.equal(await readFile(homeFolder(path()).configFile, 'utf8'), before)
  })

  it('goes on with the same keys after a first try that did not finish', async () => {
    const init = { home: path(), network: 'testnet' } as const
    const first = await createHome(init)
    await rm(homeFolder(path()).configFile)
    assert.deepEqual(await createHome(init), first)
  })

  it('writes no configuration that could not be read, and lets go of the folder', async () => {
    await assert.rejects(createHome({ home: path(), network: 'testnet', chainEndpoint: 'not a url' }), {
      code: 'CONFIG_INVALID'
    })
    await assert.rejects(readFile(homeFolder(path()).configFile), { code: 'ENOENT' })
    await createHome({ home: path(), network: 'testnet' })
  })

  it('seals keys with the passphrase, together with those of an earlier try', async () => {
    const home = homeFolder(path())
    await createHomeFolder(home)
    for (const kind of ['peer', 'wallet'] as const) {
      await createKeyFile(home, kind, new Uint8Array(32).fill(1), { passphrase: 'correct horse', cost: CHEAP })
    }
    const init = { home: path(), network: 'testnet' } as const
    await assert.rejects(createHome({ ...init, passphrase: 'wrong' }), { code: 'KEY_WRONG_PASSPHRASE' })
    await assert.rejects(createHome(init), { code: 'KEY_NEEDS_PASSPHRASE' })
    assert.equal((await readdir(home.keysFolder)).length, 2)
    await createHome({ ...init, passphrase: 'correct horse' })
    await assert.rejects(readKeyFile(home, 'channel'), { code: 'KEY_NEEDS_PASSPHRASE' })
    assert.deepEqual(await readKeyFile(home, 'peer', { passphrase: 'correct horse' }), new Uint8Array(32).fill(1))
  })

  it('keeps no key in plain text where a passphrase is wanted', async () => {
    const init = { home: path(), network: 'testnet' } as const
    await createHome(init)
    await rm(homeFolder(path()).configFile)
    await assert.rejects(createHome({ ...init, passphrase: 'correct horse' }), { code: 'KEY_EXISTS' })
  })

  it('does nothing in a folder that a process uses, or that it cannot write to', async () => {
    await createHome({ home: path(), network: 'testnet' })
    const home = homeFolder(path())
    await rm(home.configFile)
    const lock = await lockHome(home)
    await assert.rejects(createHome({ home: path(), network: 'testnet' }), { code: 'HOME_LOCKED' })
    await lock.release()
    await writeFile(join(folder(), 'file'), '')
    await assert.rejects(createHome({ home: join(folder(), 'file'), network: 'testnet' }), {
      code: 'HOME_NOT_WRITABLE'
    })
  })
})
