import assert from 'node:assert/strict'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { useTempFolder } from '../../support/temp-folder.ts'
import { fakeIo } from './fake-io.ts'
import { MainRun } from './run-main.ts'

const COMMANDS = ['init', 'provide', 'ask', 'submit', 'providers', 'wallet', 'channel', 'attest', 'receipt']

describe('the command line', () => {
  const folder = useTempFolder()

  for (const command of COMMANDS) {
    it(`gives examples in the help of ${command}`, async () => {
      const { code, stdout, stderr } = await new MainRun(folder()).run([command, '--help'])
      assert.deepEqual([code, stderr.text], [0, ''])
      assert.match(stdout.text, /--json[\s\S]*Examples:\n {2}(\S.*\| )?cocoon-node /)
    })
  }

  const refused: Array<[args: string[], code: string]> = [
    [['frobnicate'], 'COMMAND_UNKNOWN'],
    [['ask', '--frobnicate', 'x'], 'OPTION_UNKNOWN'],
    [['ask', '--max-tokens'], 'OPTION_VALUE_MISSING'],
    [['ask', '--max-tokens', 'many', 'x'], 'OPTION_INVALID'],
    [['ask', '--temperature', '3', 'x'], 'OPTION_INVALID'],
    [['ask', '--seed', '-1', 'x'], 'OPTION_INVALID'],
    [['ask', '--candidates', '9', 'x'], 'OPTION_INVALID'],
    [['ask', '--privacy', 'Strict', 'x'], 'OPTION_INVALID'],
    [['ask', '--privacy', '', 'x'], 'OPTION_INVALID'],
    [['ask', '--suite', 'kyber', 'x'], 'OPTION_INVALID'],
    [['ask', '--suite'], 'OPTION_VALUE_MISSING'],
    [['submit', 'in.jsonl', '-o', 'out.jsonl', '--privacy', 'none'], 'OPTION_INVALID'],
    [['submit', 'in.jsonl', '-o', 'out.jsonl', '--suite', 'ml-kem'], 'OPTION_INVALID'],
    [['ask', '--provider', 'nobody', 'x'], 'PEER_ID_INVALID'],
    [['ask', '--max-price', '1,5', 'x'], 'AMOUNT_INVALID'],
    [['submit', '-o', 'out.jsonl'], 'ARGUMENT_MISSING'],
    [['submit', 'in.jsonl'], 'OPTION_MISSING'],
    [['providers', '--tier', 'best'], 'OPTION_INVALID'],
    [['wallet', 'receive'], 'ARGUMENT_UNEXPECTED'],
    [['channel', 'close'], 'ARGUMENT_MISSING'],
    [['attest', 'show', 'nobody'], 'PEER_ID_INVALID'],
    [['attest', 'verify', 'a.json', '--at', '2026-13-01T00:00:00Z'], 'OPTION_INVALID'],
    [['attest', 'verify'], 'ARGUMENT_MISSING'],
    [['channel', 'open', 'nobody'], 'PEER_ID_INVALID'],
    [['init', '--network', 'othernet'], 'OPTION_INVALID'],
    [['init', '--home', 'x', '--chain', 'nowhere'], 'URL_INVALID'],
    [['init', '--home', 'x', '--network', 'simnet'], 'CHAIN_URL_MISSING'],
    [['init', '--home', 'x', '--bootstrap', '/ip4/1.2.3.4/tcp/1'], 'MULTIADDR_INVALID'],
    [['init'], 'HOME_EXISTS']
  ]
  for (const [args, code] of refused) {
    it(`refuses "${args.join(' ')}" with one line`, async () => {
      const run = new MainRun(folder())
      const plain = await run.run(args)
      assert.deepEqual([plain.code, plain.stdout.text], [2, ''])
      assert.match(plain.stderr.text, new RegExp(`^error ${code}: [^\\n]+\\n$`))
      const json = await run.run(['--json', ...args])
      assert.equal(json.code, 2)
      assert.deepEqual(
        json.stderr.objects().map(line => (line['error'] as { code: string }).code),
        [code]
      )
      assert.deepEqual(run.node.calls, [])
      assert.deepEqual(await readdir(folder()), ['home'])
    })
  }

  for (const args of [['ask', 'x'], ['provide'], ['providers'], ['wallet'], ['channel', 'list'], ['receipt', 'list']]) {
    it(`needs a home folder for "${args.join(' ')}" and names the next command`, async () => {
      const run = new MainRun(folder())
      const { code, stderr } = await run.run([...args, '--home', join(folder(), 'none')])
      assert.equal(code, 3)
      assert.match(stderr.text, /^error HOME_MISSING: .*run "cocoon-node init"[^\n]*\n$/)
      await rm(run.home, { recursive: true })
      assert.deepEqual(await readdir(folder()), [])
    })
  }

  for (const args of [[], ['channel'], ['receipt']]) {
    it(`shows its help on stderr for "${args.join(' ')}", which needs another word`, async () => {
      const { code, stdout, stderr } = await new MainRun(folder()).run(args)
      assert.deepEqual([code, stdout.text], [2, ''])
      assert.match(stderr.text, /^Usage: cocoon-node/)
    })
  }

  it('calls what it did not expect a bug, with a stack only for those who ask', async () => {
    const run = new MainRun(folder())
    run.node.account = {
      ...run.node.account,
      wallet: { ...run.node.account.wallet, balance: () => Promise.reject(new TypeError('oops')) }
    }
    const plain = await run.run(['wallet'])
    assert.equal(plain.code, 1)
    assert.match(plain.stderr.text, /^error INTERNAL: oops [^\n]*\n$/)
    assert.deepEqual(run.node.calls, ['close account'])
    const debugged = await run.run(['wallet'], fakeIo({ env: { DEBUG: '1' } }))
    assert.match(debugged.stderr.text, /\n {4}at /)
  })

  it('fails where its output cannot be written', async () => {
    const run = new MainRun(folder())
    const io = fakeIo()
    io.stdout._write = (_chunk: unknown, _encoding: unknown, done: (err?: Error) => void) =>
      done(Object.assign(new Error('full'), { code: 'ENOSPC' }))
    const { code, stderr } = await run.run(['wallet'], io)
    assert.equal(code, 3)
    assert.match(stderr.text, /^error OUTPUT_NOT_WRITABLE: /)
  })
})
