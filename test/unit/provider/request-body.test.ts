import assert from 'node:assert/strict'
import fc from 'fast-check'
import { withTimeLimit } from '../../../src/core/abort.ts'
import { sha256 } from '../../../src/core/bytes.ts'
import { JobInbox } from '../../../src/provider/job-inbox.ts'
import { type BodyReading, receiveBody } from '../../../src/provider/request-body.ts'
import type { SealedBody } from '../../../src/wire/announcement.ts'
import { encodeJobUp, type JobUpMessage } from '../../../src/wire/job-stream.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { type MemoryStream, streamPair } from '../../support/stream-pair.ts'

const PART = LIMITS.bodyPartBytes
const patiently: BodyReading['patiently'] = read => withTimeLimit(2_000, undefined, read)

function reading(stream: MemoryStream, onVoucher: BodyReading['onVoucher'] = async () => undefined): BodyReading {
  return { inbox: new JobInbox(stream), patiently, onVoucher }
}

function later(body: Uint8Array): SealedBody {
  return { kind: 'later', sizeBytes: body.byteLength, digest: sha256(body) }
}

/** What the provider makes of these messages, followed by the stream's end. */
async function receive(body: SealedBody, messages: JobUpMessage[]): Promise<Uint8Array> {
  const [client, provider] = streamPair()
  for (const message of messages) {
    await client.write(encodeJobUp(message))
  }
  await client.close()
  return receiveBody(body, reading(provider))
}

function parts(body: Uint8Array): JobUpMessage[] {
  const count = Math.ceil(body.byteLength / PART)
  return Array.from({ length: count }, (_, at) => ({ type: 'part', bytes: body.subarray(at * PART, (at + 1) * PART) }))
}

describe('request body', () => {
  it('is the announced one, and nothing is read then', async () => {
    const sealedRequest = Uint8Array.of(1, 2, 3)
    assert.equal(await receive({ kind: 'inline', sealedRequest }, []), sealedRequest)
  })

  it('is put together from its parts, and what follows them stays on the stream', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 * PART }), async size => {
        const body = new Uint8Array(size).map((_, at) => at % 251)
        const [client, provider] = streamPair()
        const messages: JobUpMessage[] = [...parts(body), { type: 'cancel', reason: '' }]
        await Promise.all(messages.map(message => client.write(encodeJobUp(message))))
        assert.deepEqual(await receiveBody(later(body), reading(provider)), body)
        assert.notEqual(await provider.read(), undefined)
      }),
      { numRuns: 10 }
    )
  })

  it('is refused when the stream ends early or brings something else', async () => {
    const body = new Uint8Array(PART + 5)
    await assert.rejects(receive(later(body), parts(body).slice(0, 1)), { code: 'BODY_INCOMPLETE' })
    await assert.rejects(receive(later(body), [{ type: 'cancel', reason: '' }]), { code: 'BODY_INCOMPLETE' })
  })

  it('is refused when it is not what was announced', async () => {
    const body = new Uint8Array(PART + 5)
    await assert.rejects(receive(later(body), parts(body.with(3, 1))), { code: 'BODY_MISMATCH' })
    await assert.rejects(receive(later(body), parts(new Uint8Array(PART + 6))), { code: 'BODY_MISMATCH' })
  })

  it('is refused in parts that are not whole, empty ones too', async () => {
    const body = new Uint8Array(PART + 5)
    for (const bytes of [new Uint8Array(), new Uint8Array(1), new Uint8Array(PART - 1)]) {
      await assert.rejects(receive(later(body), [{ type: 'part', bytes }]), { code: 'BODY_MISMATCH' })
    }
  })

  it('is not waited for without end', async () => {
    const [, provider] = streamPair()
    await assert.rejects(
      receiveBody(later(new Uint8Array(9)), {
        ...reading(provider),
        patiently: read => withTimeLimit(5, undefined, read)
      }),
      { code: 'CANCELLED' }
    )
  })
})
