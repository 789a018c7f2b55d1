/**
 * An invented chat that the pocket model summarises well. Its answer is longer than one payment window (32 tokens), so
 * the demo shows more than one voucher.
 */
export const DEFAULT_QUESTION = `Summarize this chat:
Anna: Noah's birthday is on Friday. Any ideas for a gift?
Felix: Maybe concert tickets?
Anna: Great idea! It costs 40 TON, shall we share?
Anna: The train is late, I am running 20 minutes late.
Felix: No problem, I am waiting at the clinic.`

/** What the pocket model was trained to be asked: `models/pocket/corpus.py`. */
const TASKS =
  /^(summar|what was this chat about|give me a short summary|suggest a reply|write a reply|how should i answer|draft a reply|smart reply|answer from this chat|read this chat|question about this chat)/i

const CHAT_LINE = /^[^\s:][^:\n]{0,30}: \S/

/**
 * The question of a demo. A bare chat (two or more lines like `Name: text`, or a single one and nothing else) gets
 * `Summarize this chat:` in front, since the pocket model knows what to do with a chat only when told; any other text is
 * asked as it is.
 *
 * @param words of the command line; none for the built-in chat. A word's `\n` counts as a line break, for shells in
 *   which a real one is hard to type.
 */
export function demoQuestion(words: readonly string[]): string {
  const text = words.join(' ').replaceAll('\\n', '\n').trim()
  if (text === '') {
    return DEFAULT_QUESTION
  }
  return !TASKS.test(text) && isChat(text) ? `Summarize this chat:\n${text}` : text
}

function isChat(text: string): boolean {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  return lines.every(line => CHAT_LINE.test(line))
}
