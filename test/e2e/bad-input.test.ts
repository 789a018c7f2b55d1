import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT_CODES } from '../../src/core/errors.ts'
import { defaultModelPath } from '../../src/inference/default-model.ts'
import type { CocoonNode } from '../../src/node/index.ts'
import { CliProcess, runCli } from '../support/cli-process.ts'
import { TestMesh } from '../support/test-mesh.ts'
import { until } from '../support/until.ts'

interface Outcome {
  code: number | NodeJS.Signals
  stdout: string
  stderr: string
}

/** One line that begins with the code, no stack, and the exit code of the error's class. */
function assertRefused(outcome: Outcome, code: string, exitCode: number): void {
  const lines = outcome.stderr.split('\n').filter(line => line.startsWith('error '))
  assert.equal(lines.length, 1, `one error line in:\n${outcome.stderr}`)
  assert.ok(lines[0]?.startsWith(`error ${code}: `), `expected ${code}, got: ${lines[0]}`)
  assert.doesNotMatch(outcome.stderr, /^\s+at /m)
  assert.equal(outcome.code, exitCode)
}

/** Keys, configuration and books of a home; logs and LevelDB's own files may move. */
async function snapshot(home: string): Promise<string> {
  const files = ['config.json', ...(await readdir(join(home, 'keys'))).map(name => join('keys', name))]
  return (await Promise.all(files.map(file => readFile(join(home, file), 'utf8')))).join('\n')
}

describe('bad input at the command line', function () {
  this.timeout(60_000)
  let mesh: TestMesh
  let provider: CocoonNode
  let home: string
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cocoon-bad-'))
    mesh = await TestMesh.start()
    provider = await mesh.provider()
    home = await mesh.home()
  })
  after(async () => {
    await mesh.stop()
    await rm(folder, { recursive: true, force: true })
  })

  describe('provide', () => {
    it('names a model file that is missing', async () => {
      const outcome = await runCli(['provide', '--home', home, '--model', join(folder, 'none.gguf')])
      assertRefused(outcome, 'MODEL_NOT_FOUND', EXIT_CODES.environment)
    })

    it('names a model file that was cut short', async () => {
      const path = join(folder, 'cut.gguf')
      await copyFile(defaultModelPath(), path)
      await truncate(path, 1_000_000)
      const outcome = await runCli(['provide', '--home', home, '--model', path])
      assertRefused(outcome, 'MODEL_TRUNCATED', EXIT_CODES.environment)
    })

    it('names a file that is no model', async () => {
      const path = join(folder, 'notes.gguf')
      await writeFile(path, randomBytes(4096))
      const outcome = await runCli(['provide', '--home', home, '--model', path])
      assertRefused(outcome, 'MODEL_NOT_GGUF', EXIT_CODES.environment)
    })

    it('names a port that is taken', async () => {
      const server = await listening()
      const { port } = server.address() as { port: number }
      const args = ['provide', '--home', home, '--threads', '1', '--listen', `/ip4/127.0.0.1/tcp/${port}`]
      const outcome = await runCli(args)
      server.close()
      assertRefused(outcome, 'LISTEN_FAILED', EXIT_CODES.environment)
      assert.match(outcome.stderr, new RegExp(String(port)))
    })

    it('refuses a second process on one home, naming the first', async () => {
      const first = new CliProcess(['provide', '--home', home, '--threads', '1', '--json'])
      try {
        await until(() => first.events().some(({ event }) => event === 'ready'), 30_000)
        const outcome = await runCli(['wallet', '--home', home])
        assertRefused(outcome, 'HOME_LOCKED', EXIT_CODES.environment)
        assert.match(outcome.stderr, new RegExp(String(first.child.pid)))
      } finally {
        first.child.kill('SIGTERM')
        assert.equal(await first.ended(), 0)
      }
    })
  })

  it('refuses a wrong passphrase and changes nothing', async () => {
    const locked = join(folder, 'locked')
    const env = { COCOON_PASSPHRASE: 'right' }
    const made = await runCli(
      ['init', '--home', locked, '--network', 'simnet', '--chain', mesh.endpoint, '--passphrase'],
      { env }
    )
    assert.equal(made.code, 0, made.stderr)
    const before = await snapshot(locked)
    const outcome = await runCli(['wallet', '--home', locked], { env: { COCOON_PASSPHRASE: 'wrong' } })
    assertRefused(outcome, 'KEY_WRONG_PASSPHRASE', EXIT_CODES.usage)
    assert.equal(await snapshot(locked), before)
    assert.equal((await runCli(['wallet', '--home', locked], { env })).code, 0)
  })

  it('says that the chain cannot be reached', async () => {
    await mesh.post('/simnet/faults', { down: true })
    try {
      assertRefused(await runCli(['wallet', '--home', home]), 'CHAIN_UNREACHABLE', EXIT_CODES.network)
    } finally {
      await mesh.post('/simnet/faults', { down: false })
    }
  })

  describe('ask', () => {
    let client: string

    before(async () => {
      client = await mesh.home()
      // A record needs a second peer that keeps it.
      const peer = await mesh.client()
      await provider.provider?.published
      assert.ok(peer)
    })

    it('says that nobody serves the model', async () => {
      const outcome = await runCli(['ask', '--home', client, '--model', 'ab'.repeat(32), 'Hello'])
      assertRefused(outcome, 'NO_PROVIDERS', EXIT_CODES.network)
    })

    it('says that the price cap is too low', async () => {
      const outcome = await runCli(['ask', '--home', client, '--max-price', '0.000001', 'Hello'])
      assertRefused(outcome, 'NO_USABLE_PROVIDER', EXIT_CODES.network)
      assert.match(outcome.stderr, /price/)
    })

    it('says that the wallet holds too little', async () => {
      const poor = await mesh.home(0n)
      const outcome = await runCli(['ask', '--home', poor, 'Hello'])
      assertRefused(outcome, 'NOT_ENOUGH_BALANCE', EXIT_CODES.money)
    })

    it('refuses an empty question', async () => {
      const outcome = await runCli(['ask', '--home', client, '-'], { input: '  \n' })
      assert.equal(outcome.code, EXIT_CODES.usage)
    })
  })

  it('names a malformed line of a batch by number, answers the others, and asks nothing twice', async () => {
    const client = await mesh.home()
    const input = join(folder, 'in.jsonl')
    const output = join(folder, 'out.jsonl')
    const line = (id: string) =>
      JSON.stringify({
        custom_id: id,
        method: 'POST',
        url: '/v1/chat/completions',
        body: { model: 'pocket', messages: [{ role: 'user', content: 'What is Cocoon?' }], max_tokens: 24 }
      })
    await writeFile(input, `${line('a')}\n{"custom_id": oops\n${line('b')}\n`)
    const outcome = await runCli(['submit', '--home', client, input, '-o', output])
    assert.equal(outcome.code, EXIT_CODES.usage, outcome.stderr)
    assert.match(outcome.stderr, /line 2/)
    assert.doesNotMatch(outcome.stderr, /^\s+at /m)
    const results = await lines(output)
    assert.deepEqual(new Set(results.map(result => result['custom_id'])), new Set(['a', 'b']))
    assert.equal(results.length, 2)

    await writeFile(input, `${line('a')}\n${line('c')}\n${line('b')}\n`)
    const again = await runCli(['submit', '--home', client, input, '-o', output])
    assert.equal(again.code, 0, again.stderr)
    assert.deepEqual(
      (await lines(output)).slice(2).map(result => result['custom_id']),
      ['c']
    )
  })
})

async function lines(path: string): Promise<Array<Record<string, unknown>>> {
  return (await readFile(path, 'utf8'))
    .split('\n')
    .filter(text => text !== '')
    .map(text => JSON.parse(text) as Record<string, unknown>)
}

function listening(): Promise<Server> {
  return new Promise(resolve => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}
