import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../simnet/chain/main.js', import.meta.url))

describe('the chain server process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-chain-main-'))
  let child: ChildProcess | undefined

  afterEach(() => {
    child?.kill('SIGKILL')
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  async function start(...args: string[]): Promise<{ url: string; endpoint: string; pid: number }> {
    child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    const [line] = (await once(child.stdout ?? assert.fail(), 'data')) as [Buffer]
    return JSON.parse(line.toString()) as { url: string; endpoint: string; pid: number }
  }

  it('prints its URL, answers, and saves on SIGTERM', async () => {
    const stateFile = join(folder, 'a.json')
    const { url, pid } = await start('--state', stateFile, '--block-time-ms', '50')
    assert.equal(pid, child?.pid)
    assert.equal((await fetch(`${url}/simnet/health`)).status, 200)
    child?.kill('SIGTERM')
    assert.deepEqual(await once(child ?? assert.fail(), 'exit'), [0, null])
    assert.ok(existsSync(stateFile))
  })

  it('ends with its parent when asked to', async () => {
    await start('--with-parent')
    child?.stdin?.end()
    assert.deepEqual(await once(child ?? assert.fail(), 'exit'), [0, null])
  })

  it('says in one line what is wrong with its arguments', async () => {
    child = spawn(process.execPath, [MAIN, '--port', '99999'], { stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: Buffer[] = []
    child.stderr?.on('data', (part: Buffer) => parts.push(part))
    assert.deepEqual(await once(child, 'close'), [1, null])
    assert.match(Buffer.concat(parts).toString(), /^ARGUMENT_INVALID: --port 99999[^\n]*\n$/)
  })
})
