import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { DEFAULT_MODEL } from '../../../src/core/default-model.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { until } from '../../support/until.ts'
import { fakeIo } from './fake-io.ts'
import { ADDRESS, advertised, PEER } from './fake-node.ts'
import { MainRun } from './run-main.ts'

describe('cocoon-node provide', () => {
  const folder = useTempFolder()

  /** Runs until it has said `text`, then as after Ctrl-C. */
  async function provide(run: MainRun, args: string[], said: RegExp) {
    const io = fakeIo()
    const ended = run.run(['provide', ...args], io)
    await until(() => said.test(io.stdout.text))
    run.signals.emit('SIGTERM')
    return ended
  }

  it('prints what it serves as events, and ends well at SIGTERM', async () => {
    const run = new MainRun(folder())
    const { code, stdout } = await provide(run, ['--json'], /published/)
    assert.equal(code, 0)
    assert.deepEqual(stdout.objects(), [
      {
        event: 'ready',
        peerId: PEER,
        addresses: [`/ip4/127.0.0.1/tcp/1/p2p/${PEER}`],
        model: { name: 'Pocket', digest: DEFAULT_MODEL.digestHex },
        tier: 'simulated',
        backend: 'cpu',
        tokensPerSecond: 123.5,
        slots: 1,
        walletAddress: ADDRESS,
        pid: process.pid,
        enclavePid: 77
      },
      { event: 'published' },
      { event: 'stopped' }
    ])
    assert.deepEqual(run.node.calls, ['start', 'stop'])
  })

  it('says loudly that a simulated enclave protects nothing, and only that', async () => {
    const simulated = await provide(new MainRun(folder()), [], /Published/)
    assert.match(simulated.stdout.text, /!! SIMULATED ENCLAVE: NO CONFIDENTIALITY/)
    const real = new MainRun(folder())
    real.node.tier = 'tdx+gpu'
    assert.doesNotMatch((await provide(real, [], /Published/)).stdout.text, /SIMULATED/)
  })

  it('takes model, threads, slots and addresses for this run', async () => {
    const run = new MainRun(folder())
    const listen = '/ip4/127.0.0.1/tcp/4710'
    await provide(run, ['--model', 'm.gguf', '--threads', '3', '--slots', '2', '--listen', listen], /Published/)
    const { provider, mesh } = run.node.config ?? {}
    assert.deepEqual(
      [provider?.modelPath, provider?.threads, provider?.slots, mesh?.listen],
      [resolve('m.gguf'), 3, 2, [listen]]
    )
    assert.equal(run.node.init?.role, 'provider')
  })

  it('fails when its enclave ends by itself', async () => {
    const run = new MainRun(folder())
    const io = fakeIo()
    const ended = run.run(['provide'], io)
    await until(() => io.stdout.text.includes('Published'))
    run.node.init?.onEnclaveExit?.()
    const { code, stderr } = await ended
    assert.equal(code, 3)
    assert.match(stderr.text, /error ENCLAVE_EXITED: /)
    assert.deepEqual(run.node.calls, ['start', 'stop'])
  })

  for (const [args, code] of [
    [['--threads', 'many'], 'OPTION_INVALID'],
    [['--slots', '0'], 'OPTION_INVALID'],
    [['--listen', '127.0.0.1:80'], 'MULTIADDR_INVALID']
  ] as const) {
    it(`refuses ${args.join(' ')} before it loads anything`, async () => {
      const run = new MainRun(folder())
      const { code: exit, stderr } = await run.run(['provide', ...args])
      assert.equal(exit, 2)
      assert.ok(stderr.text.startsWith(`error ${code}: ${args[0]} is "${args[1]}": expected `), stderr.text)
      assert.equal(run.node.init, undefined)
    })
  }
})

describe('cocoon-node providers', () => {
  const folder = useTempFolder()

  it('lists one row a provider, with nothing a stranger could do to the terminal', async () => {
    const run = new MainRun(folder())
    run.node.advertised = [advertised('Qwen\u001b[2J', 0xab)]
    const { code, stdout } = await run.run(['providers'])
    assert.equal(code, 0)
    const [header, row] = stdout.text.split('\n')
    assert.match(header ?? '', /^PEER +MODEL +DIGEST +TIER +BACKEND +GPU +TOKENS\/S +SLOTS/)
    assert.match(
      row ?? '',
      /^12D3\S+ +Qwen\ufffd\[2J +abababababab +tdx\+gpu +cuda +H100 40\/80 GiB +56 +1\/2 +0\.02 +0\.06$/
    )
  })

  it('prints an object a provider with --json, amounts in nanotons', async () => {
    const run = new MainRun(folder())
    run.node.advertised = [advertised('Qwen', 0xab)]
    const [provider] = (await run.run(['providers', '--json'])).stdout.objects()
    assert.deepEqual(provider?.['pricesNano'], {
      promptPerMTokens: '20000000',
      cachedPromptPerMTokens: '5000000',
      completionPerMTokens: '60000000'
    })
    assert.deepEqual([provider?.['slotsFree'], provider?.['slotsTotal']], [1, 2])
  })

  it('fails where nobody is found', async () => {
    const { code, stderr } = await new MainRun(folder()).run(['providers'])
    assert.equal(code, 4)
    assert.match(stderr.text, /error NO_PROVIDERS: /)
  })
})

describe('cocoon-node wallet and channel', () => {
  const folder = useTempFolder()

  it('send what was typed, to the nanoton, and close the books', async () => {
    const run = new MainRun(folder())
    const { code, stdout } = await run.run(['wallet', 'send', ADDRESS, '0.000000001', '--json'])
    assert.equal(code, 0)
    assert.deepEqual(run.node.calls, [`send 1 to ${ADDRESS}`, 'close account'])
    assert.deepEqual(stdout.objects(), [{ from: ADDRESS, to: ADDRESS, amountNano: '1', transaction: 'ff' }])
  })

  it('send nothing where address or amount are no such thing', async () => {
    for (const [to, value, code] of [
      ['EQabc', '1', 'ADDRESS_INVALID'],
      [ADDRESS, '1,5', 'AMOUNT_INVALID'],
      [ADDRESS, '0', 'AMOUNT_OUT_OF_RANGE']
    ] as const) {
      const run = new MainRun(folder())
      const { code: exit, stderr } = await run.run(['wallet', 'send', to, value])
      assert.equal(exit, 2)
      assert.match(stderr.text, new RegExp(`^error ${code}: `))
      assert.deepEqual(run.node.calls, [])
    }
  })

  it('close a channel and tell the transactions', async () => {
    const { stdout } = await new MainRun(folder()).run(['channel', 'close', ADDRESS, '--json'])
    assert.deepEqual(stdout.objects(), [{ channel: ADDRESS, paidNano: '7', closeTransaction: 'cc' }])
  })
})

describe('cocoon-node channel close --alone', () => {
  const folder = useTempFolder()

  it('needs no mesh, and says when to call it again', async () => {
    const run = new MainRun(folder())
    const json = await run.run(['channel', 'close', '--alone', ADDRESS, '--json'])
    assert.deepEqual(json.stdout.objects(), [
      { channel: ADDRESS, step: 'started', transaction: 'dd', refundAtMs: 5000 }
    ])
    assert.deepEqual([run.node.calls, run.node.init], [['close account'], undefined])
    const plain = await run.run(['channel', 'close', '--alone', ADDRESS])
    assert.match(plain.stdout.text, /call this again after 1970-01-01T00:00:05\.000Z/)
  })
})

describe('cocoon-node simnet', () => {
  const folder = useTempFolder()

  it('hands all its words on, help and options included, and its exit code back', async () => {
    const run = new MainRun(folder())
    const { code } = await run.run(['simnet', 'up', '-p', '3', '--help', '--json'])
    assert.equal(code, 4)
    await run.run(['simnet', '--help'])
    await run.run(['simnet', 'demo', '--', '--home', 'x'])
    await run.run(['--json', 'simnet', 'status'])
    assert.deepEqual(run.simnetCalls, [
      ['up', '-p', '3', '--help', '--json'],
      ['--help'],
      ['demo', '--', '--home', 'x'],
      ['--json', 'status']
    ])
  })
})
