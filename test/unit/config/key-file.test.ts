import assert from 'node:assert/strict'
import { chmod, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import {
  createHome,
  createKeyFile,
  DEFAULT_SCRYPT_COST,
  homeFolder,
  keyPath,
  readKeyFile,
  readKeySecret
} from '../../../src/config/index.ts'
import { decodeKeyRecord, encodeKeyRecord } from '../../../src/config/key-record.ts'
import { errorMessage } from '../../../src/core/errors.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

const SEED = Uint8Array.from({ length: 32 }, (_, index) => index * 7)
/** The cheapest that is read: these tests are not about cost. */
const cost = { N: 2 ** 14, r: 8, p: 1 }

describe('key file', () => {
  const temp = useTempFolder()
  const home = () => homeFolder(temp())
  beforeEach(() => createHome(home()))

  const put = async (text: string) => writeFile(keyPath(home(), 'peer'), text, { mode: 0o600 })
  const text = () => readFile(keyPath(home(), 'peer'), 'utf8')

  it('gives the seed back, plain and encrypted, from a file for its owner alone', async () => {
    await createKeyFile(home(), 'peer', SEED)
    await createKeyFile(home(), 'wallet', SEED, { passphrase: 'open sesame', cost })
    assert.deepEqual(await readKeyFile(home(), 'peer'), SEED)
    assert.deepEqual(await readKeyFile(home(), 'peer', { passphrase: 'not needed' }), SEED)
    assert.deepEqual(await readKeyFile(home(), 'wallet', { passphrase: 'open sesame' }), SEED)
    for (const kind of ['peer', 'wallet'] as const) {
      assert.equal((await stat(keyPath(home(), kind))).mode & 0o777, 0o600)
    }
    assert.deepEqual((await readdir(home().keysFolder)).toSorted(), ['peer.json', 'wallet.json'])
  })

  it('encrypts at the documented cost, and nothing of the seed is in the file', async () => {
    await createKeyFile(home(), 'peer', SEED, { passphrase: 'p' })
    const { N, r, p } = JSON.parse(await text()) as { N: number; r: number; p: number }
    assert.deepEqual({ N, r, p }, DEFAULT_SCRYPT_COST)
    assert.ok(!(await text()).includes(Buffer.from(SEED).toString('hex').slice(0, 12)))
    assert.deepEqual(await readKeyFile(home(), 'peer', { passphrase: 'p' }), SEED)
  })

  it('is never overwritten', async () => {
    await createKeyFile(home(), 'peer', SEED)
    await assert.rejects(createKeyFile(home(), 'peer', new Uint8Array(32)), { code: 'KEY_EXISTS' })
    assert.deepEqual(await readKeyFile(home(), 'peer'), SEED)
    assert.deepEqual(await readdir(home().keysFolder), ['peer.json'])
  })

  it('goes to exactly one of many that make it at once', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => createKeyFile(home(), 'peer', new Uint8Array(32).fill(index)))
    )
    const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
    assert.equal(winners.length, 1)
    assert.equal((await readKeyFile(home(), 'peer'))[0], winners[0])
  })

  it('tells a missing passphrase, a wrong one and an empty one apart', async () => {
    await createKeyFile(home(), 'peer', SEED, { passphrase: 'right', cost })
    await assert.rejects(readKeyFile(home(), 'peer'), { code: 'KEY_NEEDS_PASSPHRASE' })
    for (const passphrase of ['wrong', 'Right', 'right ', '']) {
      await assert.rejects(readKeyFile(home(), 'peer', { passphrase }), { code: 'KEY_WRONG_PASSPHRASE' })
    }
    await assert.rejects(createKeyFile(home(), 'wallet', SEED, { passphrase: '' }), { code: 'KEY_PASSPHRASE_EMPTY' })
  })

  it('opens with the same passphrase in another Unicode form', async () => {
    await createKeyFile(home(), 'peer', SEED, { passphrase: 'caf\u00e9', cost })
    assert.deepEqual(await readKeyFile(home(), 'peer', { passphrase: 'cafe\u0301' }), SEED)
  })

  it('is refused when other users can read or write it', async () => {
    await createKeyFile(home(), 'peer', SEED)
    for (const mode of [0o640, 0o604, 0o620, 0o602]) {
      await chmod(keyPath(home(), 'peer'), mode)
      await assert.rejects(readKeyFile(home(), 'peer'), { code: 'KEY_FILE_PERMISSIONS', message: /chmod 600/ })
    }
  })

  it('that is missing names the command that makes one', async () => {
    await assert.rejects(readKeyFile(home(), 'peer'), { code: 'KEY_MISSING', message: /cocoon-node init/ })
  })

  it('of another kind is refused under its name', async () => {
    await createKeyFile(home(), 'wallet', SEED, { passphrase: 'p', cost })
    await rename(keyPath(home(), 'wallet'), keyPath(home(), 'peer'))
    await assert.rejects(readKeyFile(home(), 'peer', { passphrase: 'p' }), { code: 'KEY_FILE_CORRUPT' })
    // Its kind rewritten, the authenticated label still tells.
    const record = decodeKeyRecord(await text()) ?? assert.fail('unreadable')
    await put(encodeKeyRecord({ ...record, kind: 'peer' }))
    await assert.rejects(readKeyFile(home(), 'peer', { passphrase: 'p' }), { code: 'KEY_WRONG_PASSPHRASE' })
  })

  it('with any one character changed is corrupt, plain or encrypted, and its error shows none of it', async () => {
    for (const options of [{}, { passphrase: 'p', cost }]) {
      await createKeyFile(home(), 'peer', SEED, options)
      const original = await text()
      fc.assert(
        fc.property(fc.nat(original.length - 1), fc.constantFrom('0', '1', 'f', '"', '}', 'é'), (at, char) => {
          fc.pre(original[at] !== char && original[at]?.trim() !== '')
          const changed = original.slice(0, at) + char + original.slice(at + 1)
          assert.equal(decodeKeyRecord(changed), undefined)
        })
      )
      await put(original.slice(0, -20))
      await assert.rejects(readKeyFile(home(), 'peer', { passphrase: 'p' }), err => {
        assert.doesNotMatch(errorMessage(err), /0007|seed/)
        return (err as { code?: string }).code === 'KEY_FILE_CORRUPT'
      })
      await rename(keyPath(home(), 'peer'), `${temp()}/aside`)
    }
  })

  it('cannot ask its reader for more memory or time than the bounds', async () => {
    await createKeyFile(home(), 'peer', SEED, { passphrase: 'p', cost })
    const record = decodeKeyRecord(await text())
    assert.ok(record !== undefined && 'sealed' in record)
    for (const bad of [{ N: 2 ** 21 }, { N: 2 ** 13 }, { N: 2 ** 14 + 1 }, { r: 9 }, { p: 5 }, { p: 0 }]) {
      const text = encodeKeyRecord({ kind: 'peer', sealed: { ...record.sealed, cost: { ...cost, ...bad } } })
      assert.equal(decodeKeyRecord(text), undefined, JSON.stringify(bad))
    }
    await put(' '.repeat(5000) + (await text()))
    await assert.rejects(readKeyFile(home(), 'peer', { passphrase: 'p' }), { code: 'KEY_FILE_CORRUPT' })
  })

  it('round-trips any seed', async () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.constantFrom('peer', 'wallet', 'channel'),
        (seed, kind) => {
          assert.deepEqual(decodeKeyRecord(encodeKeyRecord({ kind, seed })), { kind, seed })
        }
      )
    )
  })

  describe('with the words of a wallet', () => {
    const WORDS = Array.from({ length: 24 }, (_, index) => ['abandon', 'zoo', 'category'][index % 3] ?? '')
    const secret = { seed: SEED, words: WORDS }

    it('gives both back, plain and encrypted, and shows none of the words when encrypted', async () => {
      await createKeyFile(home(), 'wallet', secret)
      assert.deepEqual(await readKeySecret(home(), 'wallet'), secret)
      assert.deepEqual(await readKeyFile(home(), 'wallet'), SEED)
      await rename(keyPath(home(), 'wallet'), `${temp()}/aside`)
      await createKeyFile(home(), 'wallet', secret, { passphrase: 'p', cost })
      assert.deepEqual(await readKeySecret(home(), 'wallet', { passphrase: 'p' }), secret)
      assert.doesNotMatch(await readFile(keyPath(home(), 'wallet'), 'utf8'), /abandon|zoo|category/)
      assert.equal((await stat(keyPath(home(), 'wallet'))).mode & 0o777, 0o600)
    })

    it('has one size when encrypted, whatever the words', async () => {
      const short = { seed: SEED, words: WORDS.map(() => 'zoo') }
      const long = { seed: SEED, words: WORDS.map(() => 'category') }
      const sizes = []
      for (const one of [short, long]) {
        await createKeyFile(home(), 'wallet', one, { passphrase: 'p', cost })
        sizes.push((await stat(keyPath(home(), 'wallet'))).size)
        await rename(keyPath(home(), 'wallet'), `${temp()}/aside`)
      }
      assert.equal(sizes[0], sizes[1])
    })

    it('is corrupt with any character changed', async () => {
      const text = encodeKeyRecord({ kind: 'wallet', ...secret })
      assert.deepEqual(decodeKeyRecord(text), { kind: 'wallet', ...secret })
      fc.assert(
        fc.property(fc.nat(text.length - 1), fc.constantFrom('0', 'a', 'z', ' ', '"'), (at, char) => {
          fc.pre(text[at] !== char && text[at]?.trim() !== '')
          assert.equal(decodeKeyRecord(text.slice(0, at) + char + text.slice(at + 1)), undefined)
        })
      )
      // Its seal copied over that of a file without words, and the other way round.
      await createKeyFile(home(), 'wallet', secret, { passphrase: 'p', cost })
      const sealed = decodeKeyRecord(await readFile(keyPath(home(), 'wallet'), 'utf8'))
      assert.ok(sealed !== undefined && 'sealed' in sealed)
      const cut = { ...sealed.sealed, ciphertext: sealed.sealed.ciphertext.slice(0, 32) }
      await writeFile(keyPath(home(), 'wallet'), encodeKeyRecord({ kind: 'wallet', sealed: cut }), { mode: 0o600 })
      await assert.rejects(readKeySecret(home(), 'wallet', { passphrase: 'p' }), { code: 'KEY_WRONG_PASSPHRASE' })
    })

    it('is a wallet, and has 24 of them', async () => {
      await assert.rejects(createKeyFile(home(), 'peer', secret), RangeError)
      for (const words of [WORDS.slice(1), WORDS.with(3, 'a'), WORDS.with(3, 'Zoo'), WORDS.with(3, 'zoo zoo')]) {
        await assert.rejects(createKeyFile(home(), 'wallet', { seed: SEED, words }), RangeError)
      }
      assert.deepEqual(await readdir(home().keysFolder), [])
    })
  })

  it('is not made of a seed of another length', async () => {
    await assert.rejects(createKeyFile(home(), 'peer', new Uint8Array(31)), RangeError)
  })
})
