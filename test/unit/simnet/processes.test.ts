import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitForEvent } from '../../../simnet/process/event-log.ts'
import { type Launched, launch } from '../../../simnet/process/launch.ts'
import { descendants } from '../../../simnet/process/process-tree.ts'
import { stopProcess } from '../../../simnet/process/stop.ts'
import { identifyProcess, isRunning } from '../../../src/config/process-identity.ts'

const TIMEOUT_MS = 10_000
const READY = `console.log(JSON.stringify({ type: 'ready', pid: process.pid }));`
const STAY = 'setInterval(() => undefined, 1000);'

describe('processes of the simnet', () => {
  let folder: string
  const launched: Launched[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cocoon-test-'))
  })

  after(async () => {
    await Promise.all(launched.map(({ identity }) => stopProcess(identity, { graceMs: 0 })))
    await rm(folder, { recursive: true, force: true })
  })

  async function start(script: string): Promise<Launched> {
    const name = `process-${launched.length}`
    const process = await launch({
      name,
      args: ['-e', script],
      eventFile: join(folder, `${name}.jsonl`),
      errorFile: join(folder, `${name}.err`)
    })
    launched.push(process)
    return process
  }

  async function whenReady(process: Launched): Promise<number> {
    return await waitForEvent(process, ({ type, pid }) => (type === 'ready' ? Number(pid) : undefined), {
      timeoutMs: TIMEOUT_MS
    })
  }

  it('are told apart from one that merely has the same id', async () => {
    const process = await start(READY + STAY)
    await whenReady(process)
    const recycled = { ...process.identity, started: `${process.identity.started}0` }
    assert.equal(await stopProcess(recycled), 'gone')
    assert.equal(await isRunning(process.identity), true)
    assert.equal(await stopProcess(process.identity), 'stopped')
    assert.equal(await isRunning(process.identity), false)
  })

  it('lead a process group of their own', async () => {
    const launchedProcess = await start(READY + STAY)
    const pid = await whenReady(launchedProcess)
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    assert.equal(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]), pid)
  })

  it('that ignore SIGTERM are killed when their time is over', async () => {
    const process = await start(`process.on('SIGTERM', () => undefined);${READY}${STAY}`)
    await whenReady(process)
    assert.equal(await stopProcess(process.identity, { graceMs: 100 }), 'killed')
    assert.equal(await isRunning(process.identity), false)
  })

  it('take what they started with them, even if that ignores SIGTERM', async () => {
    const child = `process.on('SIGTERM', () => undefined);${READY}${STAY}`
    const process = await start(
      `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' });${STAY}`
    )
    const childIdentity = await identifyProcess(await whenReady(process))
    assert.deepEqual(await descendants(process.identity.pid), [childIdentity])
    await stopProcess(process.identity, { graceMs: 100 })
    assert.equal(await isRunning(childIdentity), false)
  })

  it('that end before they are ready are reported with their last line', async () => {
    const process = await start(`console.error('first');console.error('error PORT_BUSY: taken');process.exit(3)`)
    await assert.rejects(whenReady(process), (err: Error & { code: string }) => {
      assert.equal(err.code, 'SIMNET_PROCESS_FAILED')
      assert.match(err.message, /exit code 3.*PORT_BUSY: taken/)
      return true
    })
  })

  it('that are not ready in time are reported', async () => {
    const process = await start(STAY)
    await assert.rejects(
      waitForEvent(process, () => undefined, { timeoutMs: 50 }),
      { code: 'SIMNET_PROCESS_SLOW' }
    )
  })

  it('are no longer waited for when the user gives up', async () => {
    const process = await start(STAY)
    await assert.rejects(
      waitForEvent(process, () => undefined, { timeoutMs: TIMEOUT_MS, signal: AbortSignal.abort() }),
      { code: 'CANCELLED' }
    )
  })

  it('never show half a line', async () => {
    const process = await start(
      `process.stdout.write('{"type":"half"');setTimeout(() => { console.log('}') }, 150);${STAY}`
    )
    const event = await waitForEvent(process, found => found, { timeoutMs: TIMEOUT_MS })
    assert.deepEqual(event, { type: 'half' })
  })
})
