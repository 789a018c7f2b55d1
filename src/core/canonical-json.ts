import { UsageError } from './errors.ts'

/** JSON values a canonical document may hold: integers only, so that no float formatting is in play. */
export type CanonicalValue = string | number | boolean | null | CanonicalValue[] | { [key: string]: CanonicalValue }

/**
 * RFC 8785 (JCS) text of a value: keys sorted by UTF-16 code units, no white space, ECMAScript string escapes.
 *
 * @throws {UsageError} `CANONICAL_JSON_INVALID` for a number that is not a safe integer or a lone surrogate
 */
export function canonicalJson(value: CanonicalValue): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonicalJson).join(',')}]`
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.keys(value)
      .sort()
      .map(key => `${text(key)}:${canonicalJson(value[key] ?? null)}`)
    return `{${members.join(',')}}`
  }
  if (typeof value === 'string') {
    return text(value)
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new UsageError(
      'CANONICAL_JSON_INVALID',
      `${value} cannot stand in a signed document: expected a safe integer`
    )
  }
  return JSON.stringify(value)
}

function text(value: string): string {
  // RFC 8785 §3.2.2.2: lone surrogates must be refused.
  if (/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(value)) {
    throw new UsageError('CANONICAL_JSON_INVALID', 'A string with a lone surrogate cannot stand in a signed document')
  }
  return JSON.stringify(value)
}
