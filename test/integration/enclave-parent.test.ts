import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultModelPath } from '../../src/inference/index.ts'
import { until } from '../support/until.ts'

const PARENT = join(dirname(fileURLToPath(import.meta.url)), '..', 'support', 'enclave-parent.js')

/** Whether a process runs; one that ended but that nobody waited for does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('enclave and its parent', function () {
  this.timeout(30_000)
  let parent: ChildProcess | undefined
  let enclavePid = 0

  before(function () {
    if (process.platform !== 'linux') {
      this.skip()
    }
  })
  afterEach(() => {
    parent?.kill('SIGKILL')
    if (enclavePid !== 0 && isAlive(enclavePid)) {
      process.kill(enclavePid, 'SIGKILL')
    }
  })

  async function startParent(): Promise<{ pid: number; rssBytes: number }> {
    parent = fork(PARENT, [defaultModelPath()], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const [message] = (await once(parent, 'message')) as [{ pid: number; rssBytes: number }]
    enclavePid = message.pid
    return message
  }

  it('dies within a second of a killed parent, in the middle of an answer', async () => {
    const { pid } = await startParent()
    assert.ok(isAlive(pid))
    parent?.kill('SIGKILL')
    await until(() => !isAlive(pid), 1_000)
  })

  it('holds llama.cpp alone: the parent neither maps it nor grows past 150 MB', async () => {
    const { pid, rssBytes } = await startParent()
    const maps = (of: number): boolean => /llama/.test(readFileSync(`/proc/${of}/maps`, 'utf8'))
    assert.ok(maps(pid))
    assert.ok(!maps(parent?.pid ?? 0))
    assert.ok(rssBytes < 150e6, `${rssBytes}`)
  })
})
