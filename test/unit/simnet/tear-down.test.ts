import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claimFolder } from '../../../simnet/claim-folder.ts'
import { JournalWriter, journalFile, readJournal } from '../../../simnet/journal.ts'
import { type Launched, launch } from '../../../simnet/process/launch.ts'
import { stopProcess } from '../../../simnet/process/stop.ts'
import { tearDown } from '../../../simnet/tear-down.ts'
import { isRunning } from '../../../src/config/process-identity.ts'
import { until } from '../../support/until.ts'

const STAY = ['-e', 'setInterval(() => undefined, 1000)']
const NOBODY = { pid: 4_000_000, started: 'boot/1' }

describe('a simnet folder', () => {
  let root: string
  let folder: string
  const launched: Launched[] = []

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cocoon-test-'))
    folder = join(root, 'simnet')
  })

  afterEach(async () => {
    await Promise.all(launched.splice(0).map(({ identity }) => stopProcess(identity, { graceMs: 0 })))
    await rm(root, { recursive: true, force: true })
  })

  async function start(name: string, args: readonly string[] = []): Promise<Launched> {
    const process = await launch({
      name,
      args: [...STAY, '--', ...args],
      eventFile: join(root, `${name}.out`),
      errorFile: join(root, `${name}.err`)
    })
    launched.push(process)
    return process
  }

  async function simnetWith(names: readonly string[]): Promise<JournalWriter> {
    const journal = await claimFolder(folder, () => assert.fail('there were no leftovers'))
    for (const name of names) {
      await mkdir(join(folder, name))
      await journal.add({ name, ...(await start(name)).identity })
    }
    return journal
  }

  async function assertAllEnded(): Promise<void> {
    for (const { identity } of launched) {
      await until(async () => !(await isRunning(identity)))
    }
  }

  async function writeJournal(change: object): Promise<void> {
    await writeFile(journalFile(folder), JSON.stringify({ ...(await readJournal(folder)), ...change }))
  }

  it('is gone after its simnet, with all processes', async () => {
    await simnetWith(['chain', 'provider-1'])
    const stopped = await tearDown(folder)
    assert.deepEqual(
      stopped.map(({ name, outcome }) => [name, outcome]),
      [
        ['provider-1', 'stopped'],
        ['chain', 'stopped']
      ]
    )
    assert.deepEqual(await readdir(root).then(names => names.filter(name => name === 'simnet')), [])
    await assertAllEnded()
  })

  it('takes along what works in it and is in no journal', async () => {
    await simnetWith(['chain'])
    const home = join(folder, 'provider-7')
    await mkdir(home)
    const [forgotten, stranger] = [
      await start('forgotten', ['--home', home]),
      await start('stranger', ['--home', `${folder}-2/provider-7`])
    ]
    const stopped = await tearDown(folder)
    assert.deepEqual(
      stopped.map(({ name, pid }) => [name, pid]),
      [
        ['provider-7', forgotten.identity.pid],
        ['chain', launched[0]?.identity.pid]
      ]
    )
    assert.equal(await isRunning(stranger.identity), true)
  })

  it("keeps what is not the simnet's", async () => {
    await simnetWith(['chain'])
    await writeFile(join(folder, 'notes.txt'), 'mine')
    await mkdir(join(folder, 'provider-x'))
    await tearDown(folder)
    assert.deepEqual((await readdir(folder)).sort(), ['notes.txt', 'provider-x'])
  })

  it('keeps homes when asked to, and is then not used again', async () => {
    await simnetWith(['chain', 'client'])
    await tearDown(folder, { keep: true })
    assert.deepEqual((await readdir(folder)).sort(), ['chain', 'client'])
    await assert.rejects(
      claimFolder(folder, () => undefined),
      { code: 'SIMNET_FOLDER_NOT_EMPTY' }
    )
  })

  it('is not given to a second simnet while the first is being started', async () => {
    await simnetWith([])
    await assert.rejects(
      claimFolder(folder, () => undefined),
      { code: 'SIMNET_RUNNING' }
    )
  })

  it('is given to one of two that come at once', async () => {
    const claims = await Promise.allSettled([
      claimFolder(folder, () => undefined),
      claimFolder(folder, () => undefined)
    ])
    assert.deepEqual(claims.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    assert.equal(
      claims.flatMap(claim => (claim.status === 'rejected' ? [(claim.reason as { code: string }).code] : []))[0],
      'SIMNET_RUNNING'
    )
  })

  it('is not given to a second simnet while the first runs', async () => {
    await (await simnetWith(['chain'])).release()
    await writeJournal({ owner: NOBODY })
    await assert.rejects(
      claimFolder(folder, () => undefined),
      { code: 'SIMNET_RUNNING' }
    )
  })

  it('is cleaned of a simnet whose start crashed, and given away', async () => {
    await simnetWith(['chain', 'provider-1'])
    await writeJournal({ owner: NOBODY })
    await writeFile(`${journalFile(folder)}.1234.tmp`, 'half')
    const told: string[] = []
    await claimFolder(folder, what => void told.push(what))
    assert.equal(told.length, 1)
    assert.deepEqual(await readdir(folder), ['processes.json'])
    await assertAllEnded()
  })

  it('is cleaned after a restart of the machine, which ended all processes', async () => {
    await (await simnetWith(['chain'])).release()
    await Promise.all(launched.map(({ identity }) => stopProcess(identity)))
    await claimFolder(folder, () => undefined)
    assert.deepEqual(await readdir(folder), ['processes.json'])
  })

  it('with a journal of somebody else is left alone', async () => {
    await mkdir(folder)
    await writeFile(journalFile(folder), '{"version":2}')
    await assert.rejects(tearDown(folder), { code: 'SIMNET_FILE_INVALID' })
    assert.deepEqual(await readdir(folder), ['processes.json'])
  })
})
