import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type CanonicalValue, canonicalJson } from '../../../src/core/canonical-json.ts'

/** JSON without floats and lone surrogates, which have no place in a signed document. */
const value: fc.Arbitrary<CanonicalValue> = fc.letrec<{ value: CanonicalValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 4, noNullPrototype: true })
  )
})).value

describe('canonical JSON', () => {
  it('writes the example of RFC 8785 §3.2.2, as far as it has no floats', () => {
    const example = {
      string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"\u002f',
      literals: [null, true, false]
    }
    assert.equal(canonicalJson(example), '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}')
  })

  it('sorts the names of RFC 8785 §3.2.3 by UTF-16 code units', () => {
    const example = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis'
    }
    const values = Object.values(JSON.parse(canonicalJson(example)) as Record<string, string>)
    // JSON.parse keeps the order of the text, but for integer names, which come first.
    assert.deepEqual(values.slice(1), [
      'Carriage Return',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh'
    ])
    assert.ok(canonicalJson(example).startsWith('{"\\r":"Carriage Return","1":"One","\u0080":'))
  })

  it('writes every value so that it reads back, and one text only for equal values', () => {
    fc.assert(
      fc.property(value, original => {
        const text = canonicalJson(original)
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(original)))
        assert.equal(canonicalJson(shuffled(original)), text)
      })
    )
  })

  it('refuses numbers that are no safe integers', () => {
    for (const bad of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1e-7]) {
      assert.throws(() => canonicalJson({ at: [bad] }), { code: 'CANONICAL_JSON_INVALID' })
    }
    assert.equal(canonicalJson(-0), '0')
  })

  it('refuses lone surrogates in texts and names', () => {
    for (const bad of ['\ud83d', '\ude00', 'a\ude00\ud83d', '\ud83d\ud83d\ude00']) {
      assert.throws(() => canonicalJson(bad), { code: 'CANONICAL_JSON_INVALID' })
      assert.throws(() => canonicalJson({ [bad]: 1 }), { code: 'CANONICAL_JSON_INVALID' })
    }
  })
})

/** The same value with the members of every object in reverse order. */
function shuffled(original: CanonicalValue): CanonicalValue {
  if (Array.isArray(original)) {
    return original.map(shuffled)
  }
  if (typeof original === 'object' && original !== null) {
    return Object.fromEntries(
      Object.entries(original)
        .toReversed()
        .map(([key, member]) => [key, shuffled(member)])
    )
  }
  return original
}
