import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { errorCode } from '../../src/core/errors.ts'
import type { TrafficEvent } from '../../src/mesh/index.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { askAll, keptLog, question, TestMesh, type TestNodeInit } from '../support/test-mesh.ts'
import { type Captured, captureFiles, findTraces } from '../support/traces.ts'

const CHAT = [
  'Summarize this chat:',
  'Zebulon: the quarterly zeppelin inspection moved to Thursday',
  'Quintilla: I will bring the cinnamon lanterns',
  'Zebulon: perfect, see you at the hangar'
].join('\n')

/** Everything outside the enclave and the client's own process: what the network carried and the provider kept. */
interface Capture {
  all: Captured[]
  topics: Set<string>
  answer: string
}

describe('what a provider can see', function () {
  this.timeout(60_000)

  it('finds its own needles: the control', () => {
    const secret = 'the cinnamon lanterns'
    for (const bytes of [
      Buffer.from(`xx${secret}`),
      Buffer.from(secret, 'utf16le'),
      Buffer.from(Buffer.from(secret).toString('hex')),
      Buffer.from(Buffer.from(`abc${secret}`).toString('base64')),
      Buffer.from(Buffer.from(`ab${secret}`).toString('base64')),
      Buffer.from(secret.slice(3, 13))
    ]) {
      assert.deepEqual(findTraces([{ where: 'here', bytes }], [secret]), ['here'])
    }
    assert.deepEqual(findTraces([{ where: 'here', bytes: Buffer.from('cinnamon') }], [secret]), [])
  })

  it('holds no trace of the question or the answer', async () => {
    const { all, topics, answer } = await capture()
    assert.ok(
      [...topics].some(topic => topic.startsWith('/cocoon/jobs/1/')),
      'the announcement was captured'
    )
    assert.ok(topics.has(PROTOCOLS.job), 'the job stream was captured')
    assert.ok(answer.length > 20)
    assert.deepEqual(findTraces(all, [CHAT, answer]), [])
  })

  it('is caught when the enclave writes the question to disk', async () => {
    const { all } = await capture('leaky-disk-main.js')
    assert.match(findTraces(all, [CHAT]).join(), /debug\.log/)
  })

  it('is caught when the answer leaves the enclave unsealed', async () => {
    const { all, answer } = await capture('leaky-frames-main.js')
    assert.equal(answer, '')
    // The client refuses the frame, so the answer's text is known only from an honest run.
    const honest = await capture()
    assert.match(findTraces(all, [honest.answer]).join(), /cocoon\/job/)
  })
})

/** One question to a provider whose enclave is the given build, with everything that can be seen from outside. */
async function capture(leaky?: string): Promise<Capture> {
  const all: Captured[] = []
  const topics = new Set<string>()
  const tap = ({ protocol, kind, direction, bytes }: TrafficEvent): void => {
    topics.add(protocol)
    all.push({ where: `${kind} ${direction} ${protocol}`, bytes: Uint8Array.from(bytes) })
  }
  const log = keptLog()
  const mesh = await TestMesh.start()
  const userHome = process.env['HOME']
  try {
    const home = await mesh.home()
    process.env['HOME'] = home
    const entry =
      leaky === undefined ? {} : { enclaveEntry: fileURLToPath(new URL(`../support/${leaky}`, import.meta.url)) }
    const init: TestNodeInit = { tap, logger: log.logger, ...entry }
    await mesh.reopen('provider', home, {
      ...init,
      overrides: config => ({ ...config, provider: { ...config.provider, threads: 1 } })
    })
    const client = await mesh.client({ tap })
    await mesh.published()
    const asked = askAll(client, question({ messages: [{ role: 'user', content: CHAT }] }))
    const answer = await asked.then(
      ({ text }) => text,
      (err: unknown) => {
        // A frame that is not sealed is refused: the one failure that a leaking build may cause.
        assert.match(String(errorCode(err)), /^SEAL_FRAME_/)
        return ''
      }
    )
    // What was pending in the log is on disk once the node has stopped; the folder goes with the mesh.
    all.push(...(await captureFiles(home)), { where: 'log', bytes: Buffer.from(log.lines.join('')) })
    return { all, topics, answer }
  } finally {
    process.env['HOME'] = userHome
    await mesh.stop()
  }
}
