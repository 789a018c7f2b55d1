import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { main } from '../../../src/cli/main.ts'
import { UsageError } from '../../../src/core/errors.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { Captured, type FakeIo, fakeIo, Keyboard } from './fake-io.ts'
import { ADDRESS, EARNED, FRIENDLY, PAID, PEER, WORDS } from './fake-node.ts'
import { MainRun } from './run-main.ts'

/** Standard input from a pipe. */
function piped(text: string): FakeIo {
  const stdin = new PassThrough()
  stdin.end(text)
  return fakeIo({ stdin })
}

function terminal(): FakeIo {
  const stdout = new Captured()
  stdout.isTTY = true
  return fakeIo({ stdout, stdin: new Keyboard() })
}

describe('cocoon-node wallet', () => {
  const folder = useTempFolder()

  it('shows the address in both forms, the network and the balance', async () => {
    const plain = await new MainRun(folder()).run(['wallet'])
    assert.equal(plain.stdout.text, `address  ${ADDRESS}\n         ${FRIENDLY} (testnet)\nbalance  1.5 TON\n`)
    assert.equal(plain.stderr.text, '')
  })

  it('P46 shows what is locked, pending and claimable, for each channel and in all', async () => {
    const run = new MainRun(folder())
    const book = { start: async () => undefined }
    const paid = { ...PAID, channel: '0:a', peerId: PEER, state: 'open', settled: nanoTon(1n), room: nanoTon(7n) }
    const earned = {
      ...EARNED,
      channel: '0:b',
      peerId: PEER,
      state: 'closing',
      settled: nanoTon(1n),
      claimable: nanoTon(3n)
    }
    run.node.account = {
      ...run.node.account,
      payer: {
        ...book,
        list: () => [
          { ...paid, deposit: nanoTon(10n), used: nanoTon(3n) },
          { ...paid, channel: '0:c', state: 'closed', deposit: nanoTon(99n), used: nanoTon(9n) }
        ]
      },
      payee: { ...book, list: () => [{ ...earned, locked: nanoTon(9n), promised: nanoTon(4n) }] }
    }
    const [json] = (await run.run(['wallet', '--json'])).stdout.objects()
    assert.deepEqual(json, {
      address: ADDRESS,
      friendlyAddress: FRIENDLY,
      network: 'testnet',
      balanceNano: '1500000000',
      lockedNano: '17',
      pendingNano: '5',
      claimableNano: '10',
      channels: [
        { role: 'payer', channel: '0:a', state: 'open', lockedNano: '9', pendingNano: '2', claimableNano: '7' },
        { role: 'payee', channel: '0:b', state: 'closing', lockedNano: '8', pendingNano: '3', claimableNano: '3' }
      ]
    })
    const plain = await run.run(['wallet'])
    assert.match(plain.stdout.text, /^pays +0:a +open +0\.000000009 +0\.000000002 +0\.000000007$/m)
    assert.match(plain.stdout.text, /^all +0\.000000017 +0\.000000005 +0\.00000001$/m)
  })

  it('sends to an address as wallets show it, but never from mainnet to a testnet’s', async () => {
    const run = new MainRun(folder())
    assert.equal((await run.run(['wallet', 'send', FRIENDLY, '1'])).code, 0)
    assert.deepEqual(run.node.calls, [`send 1000000000 to ${ADDRESS}`, 'close account'])
    run.node.calls.length = 0
    run.node.account = { ...run.node.account, config: { network: 'mainnet' } }
    const { code, stderr } = await run.run(['wallet', 'send', FRIENDLY, '1'])
    assert.deepEqual([code, run.node.calls], [2, ['close account']])
    assert.match(stderr.text, /^error ADDRESS_INVALID: /)
  })

  it('says where to send coins when it has none', async () => {
    const run = new MainRun(folder())
    run.node.account = {
      ...run.node.account,
      wallet: { ...run.node.account.wallet, balance: async () => nanoTon(0n) }
    }
    const { stderr } = await run.run(['wallet'])
    assert.ok(stderr.text.includes(FRIENDLY) && stderr.text.includes('testnet'), stderr.text)
  })
})

describe('cocoon-node wallet export', () => {
  const folder = useTempFolder()
  const said = new RegExp(WORDS.join('|'))

  it('shows the words at a terminal, and warns beside them', async () => {
    const { code, stdout, stderr } = await new MainRun(folder()).run(['wallet', 'export'], terminal())
    assert.equal(code, 0)
    assert.deepEqual(stdout.text.match(/zeb[a-x]/g), WORDS)
    assert.match(stdout.text, /^ 1 zeba .*\n 5 zebe/)
    assert.match(stderr.text, /Whoever has these words/)
    assert.doesNotMatch(stderr.text, said)
  })

  for (const args of [['export'], ['export', '--json'], ['--json', 'export']]) {
    it(`shows nothing with "wallet ${args.join(' ')}" where that is not asked for`, async () => {
      const io = args.includes('--json') ? terminal() : fakeIo()
      const run = new MainRun(folder())
      run.node.words = () => assert.fail('the words were read')
      const { code, stdout, stderr } = await run.run(['wallet', ...args], io)
      assert.equal(code, 2)
      assert.match(stderr.text, /WORDS_NOT_SHOWN/)
      assert.doesNotMatch(stdout.text + stderr.text, said)
    })
  }

  it('gives them to a pipe or as JSON with --yes', async () => {
    const plain = await new MainRun(folder()).run(['wallet', 'export', '--yes'])
    assert.equal(plain.stdout.text, `${WORDS.join(' ')}\n`)
    const json = await new MainRun(folder()).run(['wallet', 'export', '--yes', '--json'])
    assert.deepEqual(json.stdout.objects(), [{ address: ADDRESS, words: WORDS }])
  })

  it('asks for the passphrase where there is one', async () => {
    const run = new MainRun(folder())
    run.node.words = passphrase => {
      if (passphrase !== 'secret') {
        throw new UsageError('KEY_NEEDS_PASSPHRASE', 'locked')
      }
      return { walletAddress: ADDRESS, words: WORDS }
    }
    const io = terminal()
    const running = run.run(['wallet', 'export'], io)
    await (io.stdin as Keyboard).type('secret\r')
    const { code, stdout, stderr } = await running
    assert.equal(code, 0)
    assert.deepEqual(stdout.text.match(/zeb[a-x]/g), WORDS)
    assert.doesNotMatch(stdout.text + stderr.text, /secret/)
  })
})

describe('words that come from the user', () => {
  const folder = useTempFolder()
  const typed = WORDS.join(' ')

  it('are never an argument', async () => {
    for (const args of [
      ['wallet', 'import', typed],
      ['wallet', 'import', ...WORDS],
      ['init', '--mnemonic', typed]
    ]) {
      const run = new MainRun(folder())
      const { code } = await run.run(args)
      assert.equal(code, 2)
      assert.deepEqual([run.node.calls, run.node.created], [[], undefined])
    }
  })

  it('are imported from a pipe', async () => {
    const run = new MainRun(folder())
    const { code, stdout, stderr } = await run.run(['wallet', 'import'], piped(`${typed}\n`))
    assert.equal(code, 0)
    assert.deepEqual(run.node.calls, [`import ${typed}\n`])
    assert.equal(stdout.text, `Imported wallet ${ADDRESS}\n`)
    assert.doesNotMatch(stdout.text + stderr.text, /zeb[a-x]/)
  })

  it('are typed without being shown, over as many lines as they take', async () => {
    const run = new MainRun(folder())
    const io = terminal()
    const running = run.run(['wallet', 'import'], io)
    await (io.stdin as Keyboard).type(
      `${WORDS.slice(0, 12).join(' ')}\r${WORDS.slice(12, -1).join(' ')} wrogn\b\b\b\b\b`
    )
    await (io.stdin as Keyboard).type(`${WORDS.at(-1)}\r`)
    const { code, stdout, stderr } = await running
    assert.equal(code, 0)
    assert.deepEqual(run.node.calls, [`import ${typed}`])
    assert.doesNotMatch(stdout.text + stderr.text, /zeb[a-x]/)
    assert.deepEqual((io.stdin as Keyboard).typedRaw, [true, true])
  })

  it('make the wallet of a new home', async () => {
    const run = new MainRun(folder())
    const home = `${folder()}/new`
    const io = piped(typed)
    const args = ['init', '--home', home, '--network', 'testnet', '--mnemonic']
    const code = await main(args, {
      io,
      signals: run.signals,
      loadNode: async () => run.node.module,
      pause: () => assert.fail('nothing to wait for'),
      loadSimnet: () => assert.fail('not a simnet')
    })
    assert.equal(code, 0, io.stderr.text)
    assert.equal(run.node.created?.mnemonic, typed)
    assert.doesNotMatch(io.stdout.text + io.stderr.text, /zeb[a-x]/)
    // Who has the words need not write them down.
    assert.doesNotMatch(io.stderr.text, /wallet export/)
  })

  it('are refused where there are none, or far too many bytes', async () => {
    for (const text of ['', 'x'.repeat(5_000)]) {
      const run = new MainRun(folder())
      const { code, stderr } = await run.run(['wallet', 'import'], piped(text))
      assert.equal(code, 2)
      assert.match(stderr.text, /^error MNEMONIC_INVALID: /)
      assert.deepEqual(run.node.calls, [])
    }
  })

  it('are given up with Ctrl-C, and the terminal is as before', async () => {
    const io = terminal()
    const running = new MainRun(folder()).run(['wallet', 'import'], io)
    await (io.stdin as Keyboard).type('zeba zebb\u0003')
    const { code } = await running
    assert.deepEqual([code, (io.stdin as Keyboard).raw], [130, false])
  })
})
