/**
 * Text that others wrote can hold escape sequences that repaint a terminal, rename its window or type for its
 * user. Everything of a stranger goes through here before it is shown.
 */

// Control characters but tab and line feed, and the marks that reorder a line (Trojan Source).
const UNSAFE = /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu

/** Keeps line feeds and tabs; every other control character becomes `�`. */
export function safeText(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(UNSAFE, '\ufffd')
}

/** For a table cell or a message: one line of at most `maxCharacters`. */
export function safeLine(text: string, maxCharacters = Infinity): string {
  const line = safeText(text)
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\t/g, ' ')
    .trim()
  return line.length > maxCharacters ? `${line.slice(0, maxCharacters - 1)}…` : line
}
