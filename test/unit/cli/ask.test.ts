import assert from 'node:assert/strict'
import { DEFAULT_MODEL } from '../../../src/core/default-model.ts'
import { CancelledError, PeerError } from '../../../src/core/errors.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { answerEvents } from './batch/batch-fixture.ts'
import { advertised, PEER } from './fake-node.ts'
import { MainRun } from './run-main.ts'

describe('cocoon-node ask', () => {
  const folder = useTempFolder()

  function answering(...texts: string[]): MainRun {
    const run = new MainRun(folder())
    run.node.answer = async function* () {
      yield* answerEvents(...texts)
    }
    return run
  }

  function breaking(): MainRun {
    const run = new MainRun(folder())
    run.node.answer = async function* () {
      yield* answerEvents('part of ').slice(0, 2)
      throw new PeerError('STREAM_LOST', 'gone', { details: { paid: 5n } })
    }
    return run
  }

  it('prints the answer and nothing else on stdout, and what it cost on stderr', async () => {
    const { code, stdout, stderr } = await answering('Hel', 'lo').run(['ask', 'What', 'is', 'it?'])
    assert.equal(code, 0)
    assert.equal(stdout.text, 'Hello\n')
    assert.match(
      stderr.text,
      /provider peer[\s\S]*3 \+ 2 cached prompt, 4 answer[\s\S]*0\.00000001 TON[\s\S]*0123456789abcdef/
    )
  })

  it('says that a simulated enclave hides nothing, before the answer', async () => {
    const run = answering('Hello')
    const { stdout, stderr } = await run.run(['ask', 'Hi'])
    assert.match(stderr.text, /^Note: simulated enclave: NOT confidential/)
    assert.equal(stdout.text, 'Hello\n')
  })

  it('asks with the shipped model and its limits unless told', async () => {
    const run = answering('Hello')
    await run.run(['ask', 'Hi'])
    assert.deepEqual(run.node.requests, [
      { messages: [{ role: 'user', content: 'Hi' }], modelDigestHex: DEFAULT_MODEL.digestHex, maxTokens: 256 }
    ])
    assert.equal(run.node.init?.role, 'client')
    assert.equal(run.node.config?.client.candidates, 2)
  })

  it('hands every setting on', async () => {
    const run = answering('Hello')
    run.node.advertised = [advertised('Qwen', 0xab)]
    const settings = ['--model', 'qwen', '--system', 'Be brief', '--provider', PEER, '--max-tokens', '9']
    await run.run([
      'ask',
      ...settings,
      '--temperature',
      '0.5',
      '--seed',
      '0',
      '--max-price',
      '0.1',
      '--candidates',
      '3',
      'Hi'
    ])
    assert.deepEqual(run.node.requests, [
      {
        messages: [
          { role: 'system', content: 'Be brief' },
          { role: 'user', content: 'Hi' }
        ],
        modelDigestHex: 'ab'.repeat(32),
        maxTokens: 9,
        temperature: 0.5,
        seed: 0,
        provider: PEER
      }
    ])
    assert.deepEqual(run.node.config?.client.maxPrices, {
      promptPerMTokens: 100_000_000n,
      completionPerMTokens: 100_000_000n
    })
    assert.equal(run.node.config?.client.candidates, 3)
  })

  it('prints one object with --json', async () => {
    const { stdout } = await answering('Hel', 'lo').run(['ask', '--json', 'Hi'])
    assert.deepEqual(stdout.objects(), [
      {
        answer: 'Hello',
        complete: true,
        model: { name: 'pocket', digest: DEFAULT_MODEL.digestHex },
        privacy: 'standard',
        suite: 'x25519',
        provider: { peerId: 'peer', tier: 'simulated', warm: false, channel: '0:c' },
        finishReason: 'stop',
        usage: { promptTokens: 3, cachedPromptTokens: 2, completionTokens: 4 },
        costNano: '10',
        paidNano: '12',
        vouchers: 2,
        receipt: '0123456789abcdef0123456789abcdef'
      }
    ])
  })

  it('seals and travels as it is told for this question, and says how', async () => {
    const run = answering('Hello')
    const told = await run.run(['ask', '--json', '--privacy', 'strict', '--suite', 'xwing', 'Hi'])
    assert.equal(told.code, 0)
    assert.deepEqual([run.node.config?.client.privacy, run.node.config?.client.suite], ['strict', 'xwing'])
    assert.deepEqual(
      told.stdout.objects().map(({ privacy, suite }) => [privacy, suite]),
      [['strict', 'xwing']]
    )
    const streamed = await answering('Hello').run(['ask', '--stream-json', '--privacy', 'strict', 'Hi'])
    const [first] = streamed.stdout.objects()
    assert.deepEqual([first?.['event'], first?.['privacy'], first?.['suite']], ['provider', 'strict', 'x25519'])
  })

  it('says in its help what the modes hide and cost', async () => {
    const { stdout } = await answering().run(['ask', '--help'])
    const help = stdout.text.replaceAll(/\s+/g, ' ')
    assert.match(help, /--privacy <mode> standard: .* strict: .* slower and more bytes;/)
    assert.match(help, /--suite <suite> x25519, or xwing, .* only to providers that offer it/)
  })

  it('prints each event with --stream-json', async () => {
    const { stdout } = await answering('Hel', 'lo').run(['ask', '--stream-json', 'Hi'])
    assert.deepEqual(
      stdout.objects().map(({ event, text }) => text ?? event),
      ['provider', 'Hel', 'lo', 'end']
    )
  })

  it('keeps what came of a broken answer, fails by its class and closes the node', async () => {
    const text = breaking()
    const plain = await text.run(['ask', 'Hi'])
    assert.deepEqual([plain.code, plain.stdout.text], [5, 'part of \n'])
    assert.match(plain.stderr.text, /error STREAM_LOST: gone\n$/)
    assert.deepEqual(text.node.calls, ['start', 'stop'])

    const json = await breaking().run(['ask', '--json', 'Hi'])
    assert.equal(json.code, 5)
    assert.deepEqual(
      json.stdout.objects().map(({ answer, complete }) => ({ answer, complete })),
      [{ answer: 'part of ', complete: false }]
    )
    assert.deepEqual(json.stderr.objects().at(-1), {
      error: { code: 'STREAM_LOST', class: 'peer', message: 'gone', details: { paid: '5' } }
    })
  })

  it('is cancelled by Ctrl-C: the answer ends, the node is closed, the exit code is 130', async () => {
    const run = new MainRun(folder())
    run.node.answer = async function* (_request, signal) {
      yield* answerEvents('part').slice(0, 2)
      run.signals.emit('SIGINT')
      assert.equal(signal?.aborted, true)
      throw new CancelledError()
    }
    const { code, stdout, stderr } = await run.run(['ask', 'Hi'])
    assert.deepEqual([code, stdout.text], [130, 'part\n'])
    assert.match(stderr.text, /error CANCELLED: [^\n]*\n$/)
    assert.deepEqual(run.node.calls, ['start', 'stop'])
    assert.deepEqual(run.signals.eventNames(), [])
  })

  it('ends in order when nobody reads the answer any more, and says nothing', async () => {
    const run = new MainRun(folder())
    const first = answering('x')
    const io = (await first.run(['ask', 'x'])) as Parameters<MainRun['run']>[1]
    assert.ok(io)
    run.node.answer = async function* (_request, signal) {
      yield* answerEvents('part').slice(0, 2)
      io.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      assert.equal(signal?.aborted, true)
      throw new CancelledError()
    }
    io.stderr.text = ''
    const { code, stderr } = await run.run(['ask', 'Hi'], io)
    assert.equal(code, 0)
    assert.doesNotMatch(stderr.text, /error|CANCELLED/)
    assert.deepEqual(run.node.calls, ['start', 'stop'])
  })

  it('fails before it opens a node where nothing was asked', async () => {
    const run = answering('Hello')
    const { code, stderr } = await run.run(['ask'])
    assert.equal(code, 2)
    assert.match(stderr.text, /^error QUESTION_EMPTY: /)
    assert.equal(run.node.init, undefined)
  })
})
