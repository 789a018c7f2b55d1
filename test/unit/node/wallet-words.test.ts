import assert from 'node:assert/strict'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createKeyFile, homeFolder, keyPath, lockHome, readKeySecret } from '../../../src/config/index.ts'
import { errorMessage } from '../../../src/core/errors.ts'
import { createHome, exportWallet, importWallet, openAccount } from '../../../src/node/index.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

/** The cheapest that is read: these tests are not about cost. */
const CHEAP = { N: 2 ** 14, r: 8, p: 1 }

describe('the words of a home’s wallet', () => {
  const folder = useTempFolder()
  const path = (name = 'node'): string => join(folder(), name)
  const walletFile = (name = 'node'): string => keyPath(homeFolder(path(name)), 'wallet')

  it('bring the wallet back to a home that lost its key', async () => {
    const { walletAddress } = await createHome({ home: path(), network: 'testnet' })
    const before = await readFile(walletFile(), 'utf8')
    const { words, walletAddress: exported } = await exportWallet({ home: path() })
    assert.equal(exported, walletAddress)
    await rm(walletFile())
    await assert.rejects(openAccount({ home: path() }), { code: 'KEY_MISSING' })
    assert.deepEqual(await importWallet({ home: path() }, words.join(' ')), { walletAddress, imported: true })
    assert.equal(await readFile(walletFile(), 'utf8'), before)
    // Once more changes nothing.
    assert.deepEqual(await importWallet({ home: path() }, words.join('\n')), { walletAddress, imported: false })
  })

  it('P38 of another wallet never replace the one that is there, nor take the place of one that is lost', async () => {
    await createHome({ home: path(), network: 'testnet' })
    await createHome({ home: path('other'), network: 'testnet' })
    const { words } = await exportWallet({ home: path('other') })
    const before = await readFile(walletFile(), 'utf8')
    await assert.rejects(importWallet({ home: path() }, words.join(' ')), { code: 'KEY_EXISTS' })
    assert.equal(await readFile(walletFile(), 'utf8'), before)
    await rm(walletFile())
    await assert.rejects(importWallet({ home: path() }, words.join(' ')), { code: 'WALLET_MISMATCH' })
    assert.ok(!(await readdir(homeFolder(path()).keysFolder)).includes('wallet.json'))
  })

  it('are not there where the key was never made of any, and nothing else is offered', async () => {
    const { walletAddress } = await createHome({ home: path(), network: 'testnet' })
    const home = homeFolder(path())
    const { seed } = await readKeySecret(home, 'wallet')
    await rm(walletFile())
    await createKeyFile(home, 'wallet', seed)
    const account = await openAccount({ home: path() })
    assert.equal(account.wallet.address, walletAddress)
    await account.close()
    await assert.rejects(exportWallet({ home: path() }), { code: 'WALLET_WITHOUT_WORDS' })
  })

  it('are never taken from a file in which they are not the key’s', async () => {
    await createHome({ home: path(), network: 'testnet' })
    await createHome({ home: path('other'), network: 'testnet' })
    const [own, other] = await Promise.all(
      ['node', 'other'].map(name => readKeySecret(homeFolder(path(name)), 'wallet'))
    )
    assert.ok(own !== undefined && other?.words !== undefined)
    await rm(walletFile())
    await createKeyFile(homeFolder(path()), 'wallet', { seed: own.seed, words: other.words })
    await assert.rejects(exportWallet({ home: path() }), err => {
      // One word of them may well be a word of the message.
      assert.doesNotMatch(errorMessage(err), new RegExp(other.words?.slice(0, 3).join('\\W+') ?? '^$'))
      return (err as { code?: string }).code === 'KEY_FILE_CORRUPT'
    })
  })

  it('are sealed where the other keys are, and only then', async () => {
    const init = { home: path(), passphrase: 'correct horse' }
    await createHome({ home: path(), network: 'testnet' })
    const home = homeFolder(path())
    for (const kind of ['peer', 'channel', 'wallet'] as const) {
      const secret = await readKeySecret(home, kind)
      await rm(keyPath(home, kind))
      await createKeyFile(home, kind, secret, { passphrase: init.passphrase, cost: CHEAP })
    }
    await assert.rejects(exportWallet({ home: path() }), { code: 'KEY_NEEDS_PASSPHRASE' })
    await assert.rejects(exportWallet({ ...init, passphrase: 'wrong' }), { code: 'KEY_WRONG_PASSPHRASE' })
    const { words } = await exportWallet(init)
    await rm(walletFile())
    await assert.rejects(importWallet({ home: path() }, words.join(' ')), { code: 'KEY_NEEDS_PASSPHRASE' })
    await assert.rejects(importWallet({ ...init, passphrase: 'wrong' }, words.join(' ')), {
      code: 'KEY_WRONG_PASSPHRASE'
    })
    assert.equal((await importWallet(init, words.join(' '))).imported, true)
    await assert.rejects(exportWallet({ home: path() }), { code: 'KEY_NEEDS_PASSPHRASE' })
    // A passphrase that the other keys do not have protects nothing.
    await createHome({ home: path('plain'), network: 'testnet' })
    const plain = await exportWallet({ home: path('plain') })
    await rm(walletFile('plain'))
    await importWallet({ ...init, home: path('plain') }, plain.words.join(' '))
    assert.deepEqual(await exportWallet({ home: path('plain') }), plain)
  })

  it('are not brought into a home that a process uses, or that is none', async () => {
    await createHome({ home: path(), network: 'testnet' })
    const { words } = await exportWallet({ home: path() })
    const lock = await lockHome(homeFolder(path()))
    await assert.rejects(importWallet({ home: path() }, words.join(' ')), { code: 'HOME_LOCKED' })
    await lock.release()
    await assert.rejects(importWallet({ home: path('nothing') }, words.join(' ')), { code: 'HOME_MISSING' })
  })
})

describe('a home’s own wallet', () => {
  const folder = useTempFolder()
  const path = (name: string): string => join(folder(), name)

  it('P38 is the same at every load, and a node does not start with the key of another', async () => {
    const mine = await createHome({ home: path('mine'), network: 'testnet' })
    await createHome({ home: path('other'), network: 'testnet' })
    const seen: string[] = []
    for (let load = 0; load < 3; load++) {
      const account = await openAccount({ home: path('mine') })
      seen.push(account.wallet.address)
      await account.close()
    }
    assert.deepEqual(new Set(seen), new Set([mine.walletAddress]))
    const [from, to] = ['other', 'mine'].map(name => keyPath(homeFolder(path(name)), 'wallet'))
    await rename(from ?? '', to ?? '')
    await assert.rejects(openAccount({ home: path('mine') }), { code: 'WALLET_MISMATCH', errorClass: 'environment' })
  })

  it('is another on another network, and the error says which network it is of', async () => {
    await createHome({ home: path('mine'), network: 'testnet' })
    const { configFile } = homeFolder(path('mine'))
    const config = JSON.parse(await readFile(configFile, 'utf8')) as object
    await writeFile(configFile, JSON.stringify({ ...config, network: 'mainnet' }))
    await assert.rejects(openAccount({ home: path('mine') }), { code: 'WALLET_MISMATCH', message: /testnet.*mainnet/ })
  })

  it('of a home from before is whatever its key says', async () => {
    const { walletAddress } = await createHome({ home: path('old'), network: 'testnet' })
    const home = homeFolder(path('old'))
    await writeFile(home.configFile, JSON.stringify({ network: 'testnet' }))
    const { seed } = await readKeySecret(home, 'wallet')
    await rm(keyPath(home, 'wallet'))
    await createKeyFile(home, 'wallet', seed, { passphrase: 'p', cost: CHEAP })
    for (const kind of ['peer', 'channel'] as const) {
      await rm(keyPath(home, kind))
      await createKeyFile(home, kind, new Uint8Array(32).fill(3), { passphrase: 'p', cost: CHEAP })
    }
    const account = await openAccount({ home: path('old'), passphrase: 'p' })
    assert.equal(account.wallet.address, walletAddress)
    await account.close()
  })
})
