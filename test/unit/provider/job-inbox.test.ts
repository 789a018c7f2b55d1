import assert from 'node:assert/strict'
import { JobInbox } from '../../../src/provider/job-inbox.ts'
import { encodeJobUp } from '../../../src/wire/job-stream.ts'
import { type MemoryStream, streamPair } from '../../support/stream-pair.ts'

const CANCEL = encodeJobUp({ type: 'cancel', reason: '' })

/** Reads until it is refused; how many messages it took. */
async function takes(inbox: JobInbox, client: MemoryStream): Promise<number> {
  for (let count = 0; count < 100; count++) {
    await client.write(CANCEL)
    try {
      await inbox.read()
    } catch (err) {
      assert.equal((err as { code?: string }).code, 'MESSAGES_TOO_MANY')
      return count
    }
  }
  return assert.fail('it takes any number')
}

describe('job inbox', () => {
  it('takes few messages that nobody asked for, and some for each of ours', async () => {
    const [client, provider] = streamPair()
    assert.equal(await takes(new JobInbox(provider), client), 16)
    const inbox = new JobInbox(provider)
    inbox.answered()
    inbox.answered()
    inbox.expect(3)
    assert.equal(await takes(inbox, client), 27)
  })

  it('reads on to the end, and refuses what is no message', async () => {
    const [client, provider] = streamPair()
    const inbox = new JobInbox(provider)
    await client.write(CANCEL)
    assert.deepEqual(await inbox.read(), { type: 'cancel', reason: '' })
    await client.write(Uint8Array.of(255))
    await assert.rejects(inbox.read(), { code: 'MESSAGE_MALFORMED' })
    await client.close()
    assert.equal(await inbox.read(), undefined)
  })
})
