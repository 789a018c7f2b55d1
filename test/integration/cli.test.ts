import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CliProcess, runCli } from '../support/cli-process.ts'
import { useTempFolder } from '../support/temp-folder.ts'

const COMMANDS = ['init', 'provide', 'ask', 'submit', 'providers', 'wallet', 'channel', 'receipt', 'simnet']

describe('the command line as a process', function () {
  this.timeout(60_000)
  const folder = useTempFolder()
  /** No node, no simnet. */
  const env = (): Record<string, string> => ({
    HOME: folder(),
    USERPROFILE: folder(),
    COCOON_HOME: '',
    COCOON_SIMNET: '',
    DEBUG: ''
  })

  it('tells its version and its help without loading the node', async () => {
    // Loading anything of these would fail.
    const withoutNode = { ...env(), NODE_OPTIONS: `--import=${forbidden()}` }
    const version = await runCli(['--version'], { env: withoutNode })
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/, version.stderr)
    const help = await runCli(['--help'], { env: withoutNode })
    assert.equal(help.code, 0)
    for (const command of COMMANDS) {
      assert.match(help.stdout, new RegExp(`^  ${command}\\b`, 'm'))
    }
  })

  const refused: Array<[args: string[], code: string, exit: number]> = [
    [['frobnicate'], 'COMMAND_UNKNOWN', 2],
    [['ask', '--frobnicate', 'x'], 'OPTION_UNKNOWN', 2],
    [['ask', '--max-tokens', 'many', 'x'], 'OPTION_INVALID', 2],
    [['submit', 'none.jsonl', '-o', 'out.jsonl'], 'BATCH_INPUT_UNREADABLE', 3],
    [['wallet'], 'HOME_MISSING', 3]
  ]
  it('says what is wrong in one line, exits by its class, and changes nothing', async () => {
    for (const [args, code, exit] of refused) {
      const { code: status, stdout, stderr } = await runCli(args, { env: env() })
      assert.deepEqual([status, stdout], [exit, ''], `${args.join(' ')}: ${stderr}`)
      assert.match(stderr, new RegExp(`^error ${code}: [^\\n]+\\n$`))
    }
    assert.deepEqual(await readdir(folder()), [])
  })

  it('says it as an object with --json', async () => {
    const { code, stderr } = await runCli(['wallet', '--json'], { env: env() })
    const { error } = JSON.parse(stderr) as { error: Record<string, unknown> }
    assert.deepEqual([code, error['code'], error['class']], [3, 'HOME_MISSING', 'environment'])
    assert.deepEqual(Object.keys(error), ['code', 'class', 'message', 'details'])
  })

  it('makes a node once', async () => {
    const home = join(folder(), 'home')
    const args = [
      'init',
      '--home',
      home,
      '--network',
      'simnet',
      '--chain',
      'http://127.0.0.1:1/api/v2/jsonRPC',
      '--json'
    ]
    const made = await runCli(args, { env: env() })
    assert.equal(made.code, 0, made.stderr)
    const result = JSON.parse(made.stdout) as Record<string, unknown>
    assert.match(String(result['peerId']), /^12D3KooW/)
    assert.match(String(result['walletAddress']), /^0:[0-9a-f]{64}$/)
    assert.deepEqual([result['home'], result['network'], result['encrypted']], [home, 'simnet', false])
    const before = await readFile(join(home, 'config.json'), 'utf8')
    const again = await runCli(args, { env: env() })
    assert.deepEqual([again.code, again.stdout], [2, ''])
    assert.match(again.stderr, /"code":"HOME_EXISTS"/)
    assert.equal(await readFile(join(home, 'config.json'), 'utf8'), before)
  })

  it('opens encrypted keys with $COCOON_PASSPHRASE only', async () => {
    const home = join(folder(), 'home')
    const chain = 'http://127.0.0.1:1/api/v2/jsonRPC'
    const secret = { ...env(), COCOON_PASSPHRASE: 'the secret words' }
    const made = await runCli(['init', '--home', home, '--network', 'simnet', '--chain', chain, '--passphrase'], {
      env: secret
    })
    assert.equal(made.code, 0, made.stderr)
    assert.doesNotMatch(made.stdout + made.stderr, /secret words/)
    const expected: Array<[string, string]> = [
      ['', 'error KEY_NEEDS_PASSPHRASE'],
      ['the secret words', 'No channels yet']
    ]
    for (const [passphrase, line] of expected) {
      const given = { ...env(), COCOON_PASSPHRASE: passphrase }
      const { stderr } = await runCli(['channel', 'list', '--home', home], { env: given })
      assert.match(stderr, new RegExp(`^${line}: [^\\n]+\\n$`))
    }
  })

  it('brings the wallet of one home to another by its words, and shows them only when told to', async () => {
    const args = ['--network', 'testnet', '--json']
    const [first, second] = ['first', 'second'].map(name => join(folder(), name))
    const made = await runCli(['init', '--home', first ?? '', ...args], { env: env() })
    assert.equal(made.code, 0, made.stderr)
    const refused = await runCli(['wallet', 'export', '--home', first ?? ''], { env: env() })
    assert.deepEqual([refused.code, refused.stdout], [2, ''])
    assert.match(refused.stderr, /^error WORDS_NOT_SHOWN: /)
    const { stdout: words } = await runCli(['wallet', 'export', '--yes', '--home', first ?? ''], { env: env() })
    assert.match(words, /^(?:[a-z]{3,8} ){23}[a-z]{3,8}\n$/)
    const list = words.trim().split(' ')
    for (const [index, word] of list.slice(1).entries()) {
      assert.ok(!(made.stdout + made.stderr).includes(`${list[index]} ${word}`), 'init showed some of the words')
    }
    const again = new CliProcess(['init', '--mnemonic', '--home', second ?? '', ...args], env())
    again.child.stdin.end(words)
    assert.equal(await again.ended(), 0, again.stderr)
    const [one, other] = [made.stdout, again.stdout].map(text => JSON.parse(text) as Record<string, unknown>)
    assert.equal(one?.['walletAddress'], other?.['walletAddress'])
    assert.notEqual(one?.['peerId'], other?.['peerId'])
  })

  it('never touches an output file that is not its own, nor the input', async () => {
    const [input, notes] = [join(folder(), 'in.jsonl'), join(folder(), 'notes.txt')]
    const messages = [{ role: 'user', content: 'x' }]
    const line = { custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: { model: 'pocket', messages } }
    await writeFile(input, `${JSON.stringify(line)}\n`)
    await writeFile(notes, 'my notes')
    for (const [output, code] of [
      [input, 'BATCH_SAME_FILE'],
      [notes, 'BATCH_OUTPUT_INVALID']
    ] as const) {
      const { code: exit, stderr } = await runCli(['submit', input, '-o', output], { env: env() })
      assert.equal(exit, 2)
      assert.match(stderr, new RegExp(`^error ${code}: `))
    }
    assert.equal(await readFile(notes, 'utf8'), 'my notes')
    assert.equal(await readFile(input, 'utf8'), `${JSON.stringify(line)}\n`)
  })

  it('ends at the first Ctrl-C with 130 while it waits for its question', async () => {
    await mkdir(join(folder(), '.cocoon'))
    const cli = new CliProcess(['ask', '-'], env())
    // More than a pipe holds: once it is written, the command has begun to read.
    await new Promise(resolve => cli.child.stdin.write('a question that never ends '.repeat(20_000), resolve))
    cli.child.kill('SIGINT')
    assert.equal(await cli.ended(), 130)
    assert.match(cli.stderr, /error CANCELLED: /)
    assert.equal(cli.stdout, '')
  })

  it('ends quietly when nobody reads its output', async () => {
    const cli = new CliProcess(['--help'], env())
    cli.child.stdout.destroy()
    assert.equal(await cli.ended(), 0)
    assert.equal(cli.stderr, '')
  })
})

/** A module that refuses to load what `--help` must not load. */
function forbidden(): string {
  const hooks = `export async function resolve(name, context, next) {
    if (/libp2p|@ton\\/|zod|node-llama-cpp|classic-level|cli-progress/.test(name)) {
      throw new Error('loaded ' + name)
    }
    return next(name, context)
  }`
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))})`
  return dataUrl(register)
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`
}
