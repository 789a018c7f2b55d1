import assert from 'node:assert/strict'
import fc from 'fast-check'
import { StopTexts } from '../../../src/inference/stop-texts.ts'

function stream(stops: string[], pieces: string[]): { text: string; stopped: boolean } {
  const matcher = new StopTexts(stops)
  let text = ''
  for (const piece of pieces) {
    const step = matcher.push(piece)
    text += step.text
    if (step.stopped) {
      return { text, stopped: true }
    }
  }
  return { text: text + matcher.end(), stopped: false }
}

describe('stop texts', () => {
  it('ends right before a stop text that spans pieces', () => {
    assert.deepEqual(stream(['END'], ['one E', 'N', 'D two']), { text: 'one ', stopped: true })
  })

  it('gives back what only looked like a stop text', () => {
    assert.deepEqual(stream(['END'], ['one E', 'N', 'ough']), { text: 'one ENough', stopped: false })
    assert.deepEqual(stream(['END'], ['one EN']), { text: 'one EN', stopped: false })
  })

  it('takes the stop text that comes first in the text, whatever their order', () => {
    assert.deepEqual(stream(['zz', 'b'], ['a', 'bzz']), { text: 'a', stopped: true })
  })

  it('cuts where a search of the whole text would, however it is split', () => {
    const letters = fc.constantFrom('a', 'b')
    const word = (minLength: number) => fc.string({ unit: letters, minLength, maxLength: 4 })
    fc.assert(
      fc.property(
        fc.array(word(1), { minLength: 1, maxLength: 3 }),
        fc.array(word(0), { maxLength: 12 }),
        (stops, pieces) => {
          const found = stops.map(stop => pieces.join('').indexOf(stop)).filter(at => at >= 0)
          const { text, stopped } = stream(stops, pieces)
          assert.equal(stopped, found.length > 0)
          // A stop text that is complete earlier in the stream may hide one that begins before it.
          assert.ok(pieces.join('').startsWith(text))
          assert.ok(stops.every(stop => !text.includes(stop)))
          if (!stopped) {
            assert.equal(text, pieces.join(''))
          }
        }
      )
    )
  })
})
