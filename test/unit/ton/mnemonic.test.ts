import assert from 'node:assert/strict'
import { mnemonicNew, mnemonicToPrivateKey, mnemonicValidate, mnemonicWordList } from '@ton/crypto'
import fc from 'fast-check'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { errorMessage } from '../../../src/core/errors.ts'
import { systemRandom } from '../../../src/core/random.ts'
import { mnemonicSeed, newMnemonic, readMnemonic } from '../../../src/ton/mnemonic.ts'

describe('words of a wallet', () => {
  let words: string[]

  before(async () => {
    words = await newMnemonic(systemRandom)
  })

  it('are 24 of the list that the standard accepts, new each time', async () => {
    assert.equal(words.length, 24)
    assert.ok(await mnemonicValidate(words))
    assert.notDeepEqual(await newMnemonic(systemRandom), words)
  })

  it('give the same key as in every other wallet of the standard', async () => {
    for (const list of [words, await mnemonicNew(24)]) {
      const { publicKey } = await mnemonicToPrivateKey(list)
      assert.deepEqual(ed25519FromSeed(await mnemonicSeed(list)).publicKey, new Uint8Array(publicKey))
    }
  })

  it('are read in any case and spacing, across lines and with their numbers', async () => {
    const numbered = words.map((word, index) => `${index + 1}. ${word.toUpperCase()}`).join('\n\t ')
    assert.deepEqual(await readMnemonic(`  ${numbered}\r\n`), words)
    assert.deepEqual(await readMnemonic(words.join(' ')), words)
  })

  it('that are wrong are refused by place, and none is ever in the error', async () => {
    const cases: Array<[string[], number | undefined]> = [
      [words.slice(1), undefined],
      [[...words, 'abandon'], undefined],
      [[], undefined],
      [words.with(6, 'ubandon'), 7],
      [words.with(23, 'zzz'), 24],
      [words.with(0, `${words[0]}x`), 1]
    ]
    for (const [list, place] of cases) {
      await assert.rejects(readMnemonic(list.join(' ')), (err: { code?: string; details?: { word?: number } }) => {
        assert.deepEqual([err.code, err.details?.word], ['MNEMONIC_INVALID', place])
        const said = errorMessage(err)
          .toLowerCase()
          .split(/[^a-z]+/)
        for (const word of list.filter(one => one.length > 4 && !SAID_ANYWAY.has(one))) {
          assert.ok(!said.includes(word), `the error says "${word}"`)
        }
        return true
      })
    }
  })

  it('with one exchanged hardly ever pass', async () => {
    let passed = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(23), fc.nat(2047), async (place, other) => {
        const changed = words.with(place, mnemonicWordList[other] ?? '')
        fc.pre(changed[place] !== words[place])
        passed += Number(
          await readMnemonic(changed.join(' ')).then(
            () => true,
            () => false
          )
        )
      }),
      { numRuns: 100 }
    )
    // One in 256 by chance.
    assert.ok(passed <= 5, `${passed} of 100 passed`)
  })

  it('come from the randomness that is given', async () => {
    const seeded = () => {
      let state = 1
      return {
        bytes: (length: number) => Uint8Array.from({ length }, () => (state = (state * 48_271) % 2_147_483_647) & 0xff)
      }
    }
    assert.deepEqual(await newMnemonic(seeded()), await newMnemonic(seeded()))
  })
})

/** Words of the list that the error messages use themselves. */
const SAID_ANYWAY = new Set([
  'there',
  'words',
  'expected',
  'wallet',
  'spaces',
  'between',
  'mistake',
  'another',
  'standard',
  'together',
  'wrong'
])
