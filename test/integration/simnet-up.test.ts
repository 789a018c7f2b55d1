import assert from 'node:assert/strict'
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CliProcess, runCli } from '../support/cli-process.ts'
import { commandsWith, killProcessesWith, processesWith } from '../support/processes-with.ts'
import { useTempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'

const LIMIT_MS = 120_000

interface Network {
  version: number
  chainEndpoint: string
  chainPid: number
  clientHome: string
  providers: Array<{ name: string; peerId: string; pid: number; enclavePid: number; addresses: string[] }>
}

interface Status {
  state: string
  members: Array<{ name: string; alive?: boolean; slots?: { free: number; total: number }; balanceNano?: string }>
}

/** What the first line of JSON of these commands may hold. */
interface Line extends Status {
  error: { code: string }
  answer: string
  stopped: Array<{ name: string; outcome: string }>
}

function firstObject(text: string): Line {
  return JSON.parse(text.split('\n')[0] ?? '') as Line
}

describe('simnet up', function () {
  this.timeout(LIMIT_MS)
  // Declared first, so that it runs before the folder goes; nothing is left unless the test failed.
  afterEach(() => killProcessesWith(`TMPDIR=${folder()}`))
  const folder = useTempFolder()
  const simnet = (): string => join(folder(), 'simnet')
  const environment = (): NodeJS.ProcessEnv => ({ TMPDIR: folder(), COCOON_SIMNET: simnet() })
  const run = (...args: string[]) => runCli(args, { env: environment() })

  async function assertNothingLeft(): Promise<void> {
    assert.deepEqual(await commandsWith(`TMPDIR=${folder()}`), [])
    assert.deepEqual(await readdir(folder()), [])
  }

  it('starts a network that answers, tells what runs, and goes with "down"', async () => {
    const started = await run('simnet', 'up', '-p', '2', '--json')
    assert.equal(started.code, 0, started.stderr)
    const network = JSON.parse(await readFile(join(simnet(), 'simnet.json'), 'utf8')) as Network
    assert.equal(network.version, 1)
    const pids = [network.chainPid, ...network.providers.flatMap(({ pid, enclavePid }) => [pid, enclavePid])]
    assert.equal(new Set(pids).size, 5)
    assert.deepEqual(new Set(await processesWith(`TMPDIR=${folder()}`)), new Set(pids))

    const again = await run('simnet', 'up', '--json')
    assert.equal(again.code, 3)
    assert.equal(firstObject(again.stderr).error.code, 'SIMNET_RUNNING')

    const answer = await run('ask', '--json', '--home', network.clientHome, 'What is Cocoon?')
    assert.equal(answer.code, 0, answer.stderr)
    assert.match(firstObject(answer.stdout).answer, /Cocoon/)

    const victim = network.providers[0]
    assert.ok(victim !== undefined)
    process.kill(victim.pid, 'SIGKILL')
    await until(async () => !(await processesWith(`TMPDIR=${folder()}`)).includes(victim.enclavePid))
    const status = firstObject((await run('simnet', 'status', '--json')).stdout)
    assert.equal(status.state, 'broken')
    const providers = status.members.filter(({ name }) => name.startsWith('provider-'))
    assert.deepEqual(
      providers
        .map(({ name, alive, slots, balanceNano }) => ({ name, alive, slots, balanceNano }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
      [
        { name: 'provider-1', alive: false, slots: undefined, balanceNano: '1000000000' },
        { name: 'provider-2', alive: true, slots: { free: 1, total: 1 }, balanceNano: '1000000000' }
      ]
    )
    // The channel to one of them is open: its deposit and the fees are gone from the client's wallet.
    assert.ok(BigInt(status.members.find(({ name }) => name === 'client')?.balanceNano ?? '') < 9_500_000_000n)

    const down = await run('simnet', 'down', '--json')
    assert.equal(down.code, 0, down.stderr)
    const { stopped } = firstObject(down.stdout)
    assert.deepEqual(
      stopped.map(({ name, outcome }) => `${name} ${outcome}`).toSorted(),
      ['chain stopped', `${victim.name} gone`, `${network.providers[1]?.name} stopped`].toSorted()
    )
    await assertNothingLeft()
    assert.equal(firstObject((await run('simnet', 'down', '--json')).stderr).error.code, 'SIMNET_NOT_RUNNING')
  })

  it('leaves no process and no file when it is ended while it starts', async () => {
    const cli = new CliProcess(['simnet', 'up', '-p', '1'], environment())
    await until(async () => (await processesWith(`TMPDIR=${folder()}`)).length >= 3, LIMIT_MS)
    cli.child.kill('SIGTERM')
    assert.equal(await cli.ended(), 130, cli.stderr)
    await assertNothingLeft()
    await assert.rejects(access(simnet()))
  })

  it('refuses a count that is no number, and starts nothing', async () => {
    const { code, stderr } = await run('simnet', 'up', '-p', 'many', '--json')
    assert.equal(code, 2)
    assert.equal(firstObject(stderr).error.code, 'OPTION_INVALID')
    await assertNothingLeft()
  })
})
