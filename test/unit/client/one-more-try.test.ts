import assert from 'node:assert/strict'
import { withOneMoreTry } from '../../../src/client/one-more-try.ts'
import { errorCode, PeerError } from '../../../src/core/errors.ts'

/** Yields some events and fails, or not. */
async function* attempt(events: string[], code?: string): AsyncGenerator<string> {
  yield* events
  if (code !== undefined) {
    throw new PeerError(code, code)
  }
}

/** What came, how it failed, and what was asked to mend. */
async function outcome(first: AsyncIterable<string>, again: AsyncIterable<string>, mends: boolean) {
  const asked: unknown[] = []
  let tries = 1
  const events: string[] = []
  const mend = async (err: unknown): Promise<boolean> => {
    asked.push(errorCode(err))
    return mends
  }
  const all = withOneMoreTry(first, mend, () => {
    tries++
    return again
  })
  try {
    for await (const event of all) {
      events.push(event)
    }
    return { events, asked, tries, code: undefined }
  } catch (err) {
    return { events, asked, tries, code: errorCode(err) }
  }
}

describe('one more try', () => {
  it('is not needed where the first one works', async () => {
    assert.deepEqual(await outcome(attempt(['a', 'b']), attempt(['c']), true), {
      events: ['a', 'b'],
      asked: [],
      tries: 1,
      code: undefined
    })
  })

  it('P19 comes once, after what was wrong is mended', async () => {
    assert.deepEqual(await outcome(attempt([], 'CHANNEL_EXHAUSTED'), attempt(['c'], 'CHANNEL_EXHAUSTED'), true), {
      events: ['c'],
      asked: ['CHANNEL_EXHAUSTED'],
      tries: 2,
      code: 'CHANNEL_EXHAUSTED'
    })
    assert.deepEqual(await outcome(attempt([], 'CHANNEL_RESYNC'), attempt([], 'CHANNEL_RESYNC'), true), {
      events: [],
      asked: ['CHANNEL_RESYNC'],
      tries: 2,
      code: 'CHANNEL_RESYNC'
    })
  })

  it('does not come where nothing can be mended, nor after anything was answered', async () => {
    assert.equal((await outcome(attempt([], 'PROVIDER_BUSY'), attempt(['c']), false)).tries, 1)
    const begun = await outcome(attempt(['a'], 'CHANNEL_RESYNC'), attempt(['c']), true)
    assert.deepEqual(begun, { events: ['a'], asked: [], tries: 1, code: 'CHANNEL_RESYNC' })
  })
})
