import { mnemonicToSeed, mnemonicValidate, mnemonicWordList } from '@ton/crypto'
import { UsageError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'

/** Words of a TON mnemonic. */
export const MNEMONIC_WORDS = 24

/** Salt of a wallet key's seed (tonlib, Mnemonic.cpp). */
const SEED_SALT = 'TON default seed'
const SEED_BYTES = 32
const WORD_BITS_MASK = 0x7ff
/** As words are often written down. */
const NUMBER = /^\d{1,2}[.):]?$/

/**
 * New words. One in 256 choices passes the standard's check, so this takes a few tenths of a second.
 *
 * @param random 48 bytes a try
 */
export async function newMnemonic(random: Random): Promise<string[]> {
  for (;;) {
    const bytes = random.bytes(MNEMONIC_WORDS * 2)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    // The list has 2^11 words: no remainder, no bias.
    const words = Array.from(
      { length: MNEMONIC_WORDS },
      (_, index) => mnemonicWordList[view.getUint16(index * 2) & WORD_BITS_MASK] ?? ''
    )
    if (await mnemonicValidate(words)) {
      return words
    }
  }
}

/**
 * Words of a text, in whatever case, however spaced and with or without their numbers.
 *
 * @throws {UsageError} `MNEMONIC_INVALID` that names the first thing wrong, and never a word: it may be right but misplaced
 */
export async function readMnemonic(text: string): Promise<string[]> {
  const words = text
    .normalize('NFKD')
    .toLowerCase()
    .split(/\s+/)
    .filter(part => part !== '' && !NUMBER.test(part))
  if (words.length !== MNEMONIC_WORDS) {
    throw invalid(
      `There are ${words.length} words: expected the ${MNEMONIC_WORDS} of a TON wallet, with spaces between them`
    )
  }
  const unknown = words.findIndex(word => !mnemonicWordList.includes(word))
  if (unknown !== -1) {
    throw invalid(`Word ${unknown + 1} is not in the list of words: look for a typing mistake`, { word: unknown + 1 })
  }
  if (!(await mnemonicValidate(words))) {
    throw invalid(
      'The words do not fit together: one is wrong or misplaced, or they are of another standard, or protected by a password'
    )
  }
  return words
}

/** The 32-byte Ed25519 seed of a wallet's words. Takes about a tenth of a second. */
export async function mnemonicSeed(words: readonly string[]): Promise<Uint8Array> {
  return new Uint8Array((await mnemonicToSeed([...words], SEED_SALT)).subarray(0, SEED_BYTES))
}

function invalid(message: string, details: { word?: number } = {}): UsageError {
  return new UsageError('MNEMONIC_INVALID', message, { details })
}
