import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { identifyProcess, isRunning } from '../../../src/config/process-identity.ts'
import { until } from '../../support/until.ts'

describe('process identity', () => {
  before(function () {
    if (process.platform !== 'linux') {
      this.skip()
    }
  })

  it('knows a running process, and that another had its id before', async () => {
    const self = await identifyProcess(process.pid)
    assert.equal(await isRunning(self), true)
    assert.equal(await isRunning({ ...self, started: `${self.started}0` }), false)
    assert.equal(await isRunning({ pid: process.pid, started: '' }), true)
  })

  it('finds the start time behind a name with brackets and spaces', async () => {
    const child = spawn(process.execPath, [
      '-e',
      'process.title = ") S 1 ("; console.log(); setInterval(() => {}, 1000)'
    ])
    await once(child.stdout, 'data')
    const { started } = await identifyProcess(child.pid ?? 0)
    const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8')
    assert.match(stat, /\(\) S 1 \(\)/)
    assert.equal(started.split('/')[1], stat.slice(stat.lastIndexOf(')')).split(' ')[20])
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(await isRunning({ pid: child.pid ?? 0, started }), false)
  })

  it('takes a killed process that its parent has not noticed for ended', async () => {
    // The shell becomes `sleep`, which never asks after the child it inherited.
    const parent = spawn('/bin/sh', ['-c', 'read go <&3 & echo $!; exec sleep 60 3<&-'], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe']
    })
    const [output] = (await once(parent.stdout?.setEncoding('utf8') ?? assert.fail(), 'data')) as [string]
    const child = await identifyProcess(Number(output))
    await until(async () => (await readFile(`/proc/${parent.pid}/comm`, 'utf8')) === 'sleep\n')
    assert.equal(await isRunning(child), true)
    ;(parent.stdio[3] as Writable).end()
    await until(async () => /\) Z/.test(await readFile(`/proc/${child.pid}/stat`, 'utf8')))
    assert.equal(await isRunning(child), false)
    parent.kill('SIGKILL')
    await once(parent, 'exit')
  })
})
