/**
 * Text that others wrote can hold escape sequences that repaint a terminal, rename its window or type for its
 * user. Everything of a stranger goes through here before it is shown.
 */

// C0 without tab and line feed, DEL, C1, and the marks that reorder a line (Trojan Source).
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/** Keeps line feeds and tabs; every other control character becomes `�`. */
export function safeText(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(UNSAFE, '\ufffd')
}

/** For a table cell or a message: one line of at most `maxCharacters`. */
export function safeLine(text: string, maxCharacters = Infinity): string {
  const line = safeText(text).replace(/\s*\n\s*/g, ' ').replace(/\t/g, ' ').trim()
  return line.length > maxCharacters ? `${line.slice(0, maxCharacters - 1)}…` : line
}
