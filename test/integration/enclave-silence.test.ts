import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LlamaContextSequence } from 'node-llama-cpp'
import { silentLogger } from '../../src/core/logger.ts'
import { type Enclave, spawnEnclave } from '../../src/enclave/index.ts'
import { defaultModelPath, openLlamaEngine } from '../../src/inference/index.ts'
import { type OpenedAnswer, openAnswer, PROVIDER_PEER_ID, sealQuestion } from '../support/sealed-question.ts'
import { useTempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'

const TRACER = 'strace'
/** System calls that leave something behind, or reach out. */
const TRACED =
  'open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,truncate,ftruncate,mknod,mknodat,memfd_create,socket,connect,bind,execve'
/** A small program of llama.cpp's package that tries its library in a process of its own, before any question. */
const LIBRARY_TEST = /^execve\("[^"]*node", \["[^"]*", "--no-warnings", "[^"]*node_modules\/node-llama-cpp\//

const FOX = 'Tell me a story about a fox.'

async function attested(enclave: Enclave): Promise<Uint8Array> {
  const input = { peerId: PROVIDER_PEER_ID, globalId: -3, beaconHeight: 5, beaconHash: new Uint8Array(32) }
  return (await enclave.attest(input)).statement
}

function ask(enclave: Enclave, statement: Uint8Array, content: string): Promise<OpenedAnswer> {
  const question = sealQuestion(statement, { messages: [{ role: 'user', content }], maxTokens: 40, temperature: 0 })
  return openAnswer(statement, question, enclave.run(question.job))
}

/** With other values in this process's environment, from which the enclave gets its own. */
async function withEnvironment<T>(values: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const before = { ...process.env }
  Object.assign(process.env, values)
  try {
    return await work()
  } finally {
    for (const name of Object.keys(values)) {
      const value = before[name]
      if (value === undefined) {
        delete process.env[name]
      } else {
        process.env[name] = value
      }
    }
  }
}

describe('an enclave that answers', function () {
  this.timeout(60_000)
  const folder = useTempFolder()
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const init = { modelPath: defaultModelPath(), threads: 1, slots: 1, gpu: 'off', logger } as const

  beforeEach(() => warnings.splice(0))

  it('needs no folder that it could write to, and says nothing', async () => {
    const nowhere = { HOME: '/nonexistent', TMPDIR: '/nonexistent', TEMP: '/nonexistent' }
    const enclave = await withEnvironment(nowhere, () => spawnEnclave(init))
    try {
      assert.ok((await ask(enclave, await attested(enclave), FOX)).text.length > 20)
    } finally {
      await enclave.stop()
    }
    assert.deepEqual(warnings, [])
  })

  it('opens nothing for writing, makes no file and no connection, as the kernel sees it', async function () {
    if (spawnSync(TRACER, ['-qq', '-o', '/dev/null', 'true']).status !== 0) {
      console.log('      SKIPPED: strace is not here, or may not trace: whether the enclave writes was not watched')
      this.skip()
    }
    const [script, log] = [join(folder(), 'node'), join(folder(), 'calls')]
    writeFileSync(
      script,
      `#!/bin/sh\nexec ${TRACER} -D -f -s 4096 -o ${log} -e trace=${TRACED} ${process.execPath} "$@"\n`
    )
    chmodSync(script, 0o755)
    const real = process.execPath
    let starting: Promise<Enclave>
    try {
      process.execPath = script
      starting = spawnEnclave(init)
    } finally {
      process.execPath = real
    }
    const enclave = await starting
    try {
      const statement = await attested(enclave)
      assert.ok((await ask(enclave, statement, FOX)).text.length > 20)
      await assert.rejects(ask(enclave, statement, 'word '.repeat(3_000)), { code: 'PROMPT_TOO_LONG' })
    } finally {
      await enclave.stop()
    }
    // The tracer stands beside the enclave, which is this process's own child, and writes to its end.
    await until(() => new RegExp(`^${enclave.info.pid} +\\+\\+\\+ killed`, 'm').test(readFileSync(log, 'utf8')))
    const calls = readFileSync(log, 'utf8')
      .split('\n')
      .map(line => line.replace(/^\d+\s+/, ''))
    assert.ok(calls.filter(call => call.startsWith('open')).length > 100, 'the trace is there')
    const suspicious = calls.filter(
      call =>
        !/ENOENT|resumed>|^\+\+\+|^---|^$/.test(call) &&
        (call.startsWith('open') ? /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND/.test(call) : true) &&
        !call.startsWith('openat(AT_FDCWD, "/dev/null", O_RDWR')
    )
    const [itself, test, ...others] = suspicious
    assert.match(itself ?? '', /^execve\(/)
    assert.match(test ?? '', LIBRARY_TEST)
    assert.deepEqual(others, [])
  })
})

describe('answers to two clients', function () {
  this.timeout(60_000)

  it('share no cache: every prompt is evaluated from its first token on, in an empty context', async () => {
    const engine = await openLlamaEngine({ modelPath: defaultModelPath(), threads: 1, slots: 2, gpu: 'off' })
    const seen: Array<{ from: number; tokens: number }> = []
    const evaluate = Reflect.get(LlamaContextSequence.prototype, 'evaluate')
    LlamaContextSequence.prototype.evaluate = function (this: LlamaContextSequence, tokens, ...rest) {
      seen.push({ from: this.nextTokenIndex, tokens: tokens.length })
      return evaluate.call(this, tokens, ...rest)
    }
    try {
      const answer = async (content: string): Promise<string> => {
        let text = ''
        const request = { messages: [{ role: 'user' as const, content }], maxTokens: 20, temperature: 0 }
        for await (const event of engine.generate(request)) {
          text += event.type === 'text' ? event.text : ''
          if (event.type === 'prompt') {
            assert.equal(event.cachedPromptTokens, 0)
          }
        }
        return text
      }
      const first = await answer(FOX)
      assert.equal(await answer(FOX), first)
      assert.deepEqual(await Promise.all([answer(FOX), answer(FOX)]), [first, first])
      assert.equal(seen.length, 4)
      assert.ok((seen[0]?.tokens ?? 0) > 5)
      assert.deepEqual(
        seen,
        Array.from({ length: 4 }, () => ({ from: 0, tokens: seen[0]?.tokens }))
      )
    } finally {
      LlamaContextSequence.prototype.evaluate = evaluate
      await engine.close()
    }
  })
})
