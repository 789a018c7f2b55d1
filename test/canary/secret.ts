import { randomInt } from 'node:crypto'

/** What must not be found outside the enclave. */
export interface Secret {
  name: string
  bytes: Uint8Array
  /** Of a secret that is text: its UTF-16 form is made of this. */
  text?: string
}

export function textSecret(name: string, text: string): Secret {
  return { name, text, bytes: Buffer.from(text) }
}

const CONSONANTS = 'bcdfghjklmnpqrstvwxz'
const VOWELS = 'aeiou'

/** A word that nobody has: twelve letters of four syllables. */
function randomWord(): string {
  const pick = (letters: string): string => letters.charAt(randomInt(letters.length))
  return Array.from({ length: 4 }, () => pick(CONSONANTS) + pick(VOWELS) + pick(CONSONANTS)).join('')
}

/** A question that stands nowhere else in any memory. */
export function randomPrompt(words: number): string {
  return `${Array.from({ length: words }, randomWord).join(' ')}.`
}

/** A question that the shipped model answers at length, mostly with that name in it. */
export function storyPrompt(): string {
  const name = randomWord()
  return `Tell me a story about a ${randomWord()} named ${name.charAt(0).toUpperCase()}${name.slice(1)}.`
}
