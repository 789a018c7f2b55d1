import assert from 'node:assert/strict'
import type { TrafficEvent } from '../../src/mesh/index.ts'
import { decodeAnnouncement, type JobAnnouncement } from '../../src/wire/announcement.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { askAll, question, TestMesh } from '../support/test-mesh.ts'

interface Seen {
  direction: 'in' | 'out'
  bytes: number
}

describe('what a client may ask of sealing', function () {
  this.timeout(60_000)
  let mesh: TestMesh

  before(async () => {
    mesh = await TestMesh.start()
    await mesh.provider()
  })
  after(() => mesh.stop())

  it('seals with X-Wing where it is asked to, from the announcement on', async () => {
    const announced: JobAnnouncement[] = []
    const tap = ({ kind, direction, bytes, protocol }: TrafficEvent): void => {
      if (kind === 'gossip' && direction === 'out' && protocol.startsWith('/cocoon/jobs/')) {
        announced.push(decodeAnnouncement(bytes))
      }
    }
    const client = await mesh.client({
      tap,
      overrides: config => ({ ...config, client: { ...config.client, suite: 'xwing' } })
    })
    const first = await askAll(client, question())
    const second = await askAll(client, question())
    assert.deepEqual([first.provider.warm, second.provider.warm], [false, true])
    assert.equal(second.text, first.text)
    assert.deepEqual(
      announced.flatMap(({ recipients }) => recipients.map(({ enc }) => enc.byteLength)),
      [1_120]
    )
  })

  it('answers in the mode strict with the same messages in both directions, however long the answer is', async () => {
    let seen: Seen[] = []
    const tap = ({ kind, protocol, direction, bytes }: TrafficEvent): void => {
      if (kind === 'stream' && protocol === PROTOCOLS.job) {
        seen.push({ direction, bytes: bytes.byteLength })
      }
    }
    const client = await mesh.client({ tap })
    await askAll(client, question({ maxTokens: 8 }))
    const shown: Seen[][] = []
    const lengths = new Set<number>()
    for (const content of [
      'Tell me a story about a fox.',
      'What is Cocoon?',
      'Suggest a reply:\nMara: are you there?'
    ]) {
      seen = []
      const messages = [{ role: 'user' as const, content }]
      const { end, text } = await askAll(client, question({ messages, maxTokens: 60, privacy: 'strict' }))
      lengths.add(text.length)
      assert.ok(end.paid >= end.cost)
      shown.push(seen)
    }
    assert.ok(lengths.size > 1)
    for (const direction of ['in', 'out'] as const) {
      const [first, ...others] = shown.map(messages => messages.filter(one => one.direction === direction))
      for (const messages of others) {
        assert.deepEqual(messages, first)
      }
    }
  })
})
