import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type HomeLock, homeFolder, lockHome } from '../../../src/config/index.ts'
import { identifyProcess } from '../../../src/config/process-identity.ts'
import { errorCode } from '../../../src/core/errors.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

const LIBRARY = new URL('../../../src/config/index.js', import.meta.url).href

interface Contender {
  child: ChildProcess
  outcome: string
}

/** A process that tries to lock `home` and stays until its standard input ends. */
async function contend(home: string): Promise<Contender> {
  const program = `
    import { homeFolder, lockHome } from ${JSON.stringify(LIBRARY)}
    const outcome = await lockHome(homeFolder(process.argv[1])).then(() => 'locked', err => err.code + ' ' + err.details.pid)
    process.stdout.write(outcome + '\\n')
    process.stdin.resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, home], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const [outcome] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
  return { child, outcome: outcome.trim() }
}

async function end({ child }: Contender, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

/** The record of a process that certainly runs no more. */
async function deadRecord(): Promise<{ pid: number; started: string; token: string }> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  const pid = child.pid ?? assert.fail('not started')
  const { started } = await identifyProcess(pid)
  await exited
  return { pid, started, token: randomUUID() }
}

describe('home lock', () => {
  const temp = useTempFolder()
  const home = () => homeFolder(temp())

  it('is held by one and free after release', async () => {
    const lock = await lockHome(home())
    await assert.rejects(lockHome(home()), { code: 'HOME_LOCKED', details: { home: temp(), pid: process.pid } })
    await lock.release()
    await lock.release()
    await (await lockHome(home())).release()
    assert.deepEqual(await readdir(temp()), [])
  })

  it('names the other process, and is taken over once that one was killed', async () => {
    const other = await contend(temp())
    assert.equal(other.outcome, 'locked')
    await assert.rejects(lockHome(home()), {
      code: 'HOME_LOCKED',
      message: new RegExp(`process ${other.child.pid}\\b`),
      details: { home: temp(), pid: other.child.pid }
    })
    await end(other, 'SIGKILL')
    const lock = await lockHome(home())
    const refused = await contend(temp())
    assert.equal(refused.outcome, `HOME_LOCKED ${process.pid}`)
    await end(refused, 'SIGTERM')
    await lock.release()
    assert.deepEqual(await readdir(temp()), [])
  })

  it('is taken over when its process id now belongs to another process', async function () {
    if (process.platform !== 'linux') {
      this.skip()
    }
    const { started } = await identifyProcess(process.pid)
    const earlier = started.replace(/\d+$/, ticks => String(Number(ticks) - 1))
    const otherBoot = started.replace(/^[^/]+/, randomUUID())
    for (const stale of [earlier, otherBoot]) {
      await writeFile(home().lockFile, JSON.stringify({ pid: process.pid, started: stale, token: randomUUID() }))
      await (await lockHome(home())).release()
    }
    await writeFile(home().lockFile, JSON.stringify({ pid: process.pid, started, token: randomUUID() }))
    await assert.rejects(lockHome(home()), { code: 'HOME_LOCKED' })
  })

  it('goes to exactly one of many that find a stale one at once, however often', async () => {
    const stale = await deadRecord()
    for (let round = 0; round < 20; round++) {
      const home = homeFolder(join(temp(), String(round)))
      await mkdir(home.path)
      await writeFile(home.lockFile, JSON.stringify(stale))
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, async (_, contender) => {
          // Different starts: some arrive while others are half-way through taking over.
          for (let turn = 0; turn < contender * (round % 5); turn++) {
            await new Promise(setImmediate)
          }
          return lockHome(home)
        })
      )
      const winners = results.filter(
        (result): result is PromiseFulfilledResult<HomeLock> => result.status === 'fulfilled'
      )
      assert.equal(winners.length, 1, `round ${round}`)
      for (const result of results) {
        assert.ok(result.status === 'fulfilled' || errorCode(result.reason) === 'HOME_LOCKED')
      }
      assert.doesNotMatch(await readFile(home.lockFile, 'utf8'), new RegExp(stale.token))
      await winners[0]?.value.release()
      assert.deepEqual(await readdir(home.path), [], `round ${round}`)
    }
  })

  it('goes to exactly one of several processes that find a stale one at once', async () => {
    await writeFile(home().lockFile, JSON.stringify(await deadRecord()))
    const contenders = await Promise.all(Array.from({ length: 4 }, () => contend(temp())))
    assert.deepEqual(contenders.map(({ outcome }) => outcome.replace(/ .*/, '')).toSorted(), [
      'HOME_LOCKED',
      'HOME_LOCKED',
      'HOME_LOCKED',
      'locked'
    ])
    await Promise.all(contenders.map(contender => end(contender, 'SIGKILL')))
  })

  it('is taken over from a process that died while taking it over', async () => {
    const [first, second, third] = await Promise.all([deadRecord(), deadRecord(), deadRecord()])
    const { lockFile } = home()
    await writeFile(lockFile, JSON.stringify(first))
    await writeFile(`${lockFile}.${first.token}`, JSON.stringify(second))
    await writeFile(`${lockFile}.${first.token}.${second.token}`, JSON.stringify(third))
    await (await lockHome(home())).release()
    assert.deepEqual(await readdir(temp()), [])
  })

  it('that is not a lock of ours is left alone', async () => {
    for (const text of ['', 'mine', '{"pid":0}', '{"pid":-1,"started":"","token":"x"}']) {
      await writeFile(home().lockFile, text)
      await assert.rejects(lockHome(home()), { code: 'HOME_LOCK_CORRUPT' })
      assert.equal(await readFile(home().lockFile, 'utf8'), text)
    }
  })

  it('cannot be taken in a folder that is not there', async () => {
    await assert.rejects(lockHome(homeFolder(join(temp(), 'none'))), { code: 'HOME_NOT_WRITABLE' })
  })
})
