import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
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

/** Largest core dump of a process, in bytes or `unlimited`. */
function coreLimit(pid: number): string {
  return /Max core file size +(\w+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? ''
}

function mapsLlama(pid: number): boolean {
  return /llama/.test(readFileSync(`/proc/${pid}/maps`, 'utf8'))
}

describe('enclave and its parent', function () {
  this.timeout(30_000)
  let parent: ChildProcess
  let parentRssBytes = 0
  let enclavePid = 0

  before(async function () {
    if (process.platform !== 'linux') {
      this.skip()
    }
    // Core dumps as large as they may be: what the enclave leaves off, it has turned off itself.
    const script = 'ulimit -c "$(ulimit -H -c)"; exec "$0" "$@"'
    parent = spawn('/bin/sh', ['-c', script, process.execPath, PARENT, defaultModelPath()], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc']
    })
    const [message] = (await once(parent, 'message')) as [{ pid: number; rssBytes: number }]
    enclavePid = message.pid
    parentRssBytes = message.rssBytes
  })
  after(() => {
    parent?.kill('SIGKILL')
    if (enclavePid !== 0 && isAlive(enclavePid)) {
      process.kill(enclavePid, 'SIGKILL')
    }
  })

  it('dumps no core', function () {
    if (coreLimit(parent.pid ?? 0) === '0') {
      console.log('      SKIPPED: this machine allows no core dumps to anyone')
      this.skip()
    }
    assert.equal(coreLimit(enclavePid), '0')
  })

  it('holds llama.cpp alone: the parent neither maps it nor grows past 150 MB', () => {
    assert.ok(mapsLlama(enclavePid))
    assert.ok(!mapsLlama(parent.pid ?? 0))
    assert.ok(parentRssBytes < 150e6, `${parentRssBytes}`)
  })

  it('dies within a second of a killed parent, in the middle of an answer', async () => {
    assert.ok(isAlive(enclavePid))
    parent.kill('SIGKILL')
    await until(() => !isAlive(enclavePid), 1_000)
  })
})
