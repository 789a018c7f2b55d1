import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { CliProcess, runCli } from '../support/cli-process.ts'
import { commandsWith, killProcessesWith, processesWith } from '../support/processes-with.ts'
import { useTempFolder } from '../support/temp-folder.ts'
import { until } from '../support/until.ts'

const LIMIT_MS = 120_000

interface Transaction {
  hash: string
  receivedNano: string
  sentNano: string
  feeNano: string
  forwardFeeNano: string
}

interface Account {
  name: string
  address: string
  beforeNano: string
  afterNano: string
  transactions: Transaction[]
}

interface DemoResult {
  question: string
  answer: string
  provider: { peerId: string; tier: string }
  usage: { promptTokens: number; completionTokens: number }
  costNano: string
  paidNano: string
  vouchers: number
  channel: string
  closeTransaction: string
  accounts: Account[]
}

function sum(values: Iterable<string>): bigint {
  let total = 0n
  for (const value of values) {
    total += BigInt(value)
  }
  return total
}

describe('simnet demo', function () {
  this.timeout(LIMIT_MS)
  // Declared first, so that it runs before the folder goes; nothing is left unless the test failed.
  afterEach(() => killProcessesWith(`TMPDIR=${folder()}`))
  const folder = useTempFolder()
  const environment = (): NodeJS.ProcessEnv => ({ TMPDIR: folder(), COCOON_SIMNET: `${folder()}/never-used` })

  async function assertNothingLeft(): Promise<void> {
    assert.deepEqual(await commandsWith(`TMPDIR=${folder()}`), [])
    assert.deepEqual(await readdir(folder()), [])
  }

  it('answers, pays, accounts for every nanoton and leaves nothing behind', async () => {
    const chat = 'Greta: Shall we meet on Friday?\nKofi: Good idea. Where?\nGreta: At the old bridge, 6 pm.'
    const { code, stdout, stderr } = await runCli(['simnet', 'demo', '-p', '2', '--json', '--', chat], {
      env: environment()
    })
    assert.equal(code, 0, stderr)
    const result = JSON.parse(stdout) as DemoResult
    assert.equal(result.question, `Summarize this chat:\n${chat}`)
    assert.match(result.answer, /old bridge/)
    assert.equal(result.provider.tier, 'simulated')
    assert.ok(result.usage.promptTokens > 0 && result.usage.completionTokens > 0 && result.vouchers > 0)

    const transactions = result.accounts.flatMap(account => account.transactions)
    for (const { name, beforeNano, afterNano, transactions: own } of result.accounts) {
      const gained = sum(own.map(tx => tx.receivedNano))
      const lost = sum(own.flatMap(tx => [tx.sentNano, tx.feeNano, tx.forwardFeeNano]))
      assert.equal(BigInt(beforeNano) + gained - lost, BigInt(afterNano), name)
    }
    const fees = sum(transactions.flatMap(tx => [tx.feeNano, tx.forwardFeeNano]))
    const before = sum(result.accounts.map(account => account.beforeNano))
    assert.equal(before, 12_000_000_000n)
    assert.equal(before, sum(result.accounts.map(account => account.afterNano)) + fees)
    assert.ok(fees > 0n)

    // The close pulled the price out of the channel, and gave the rest back.
    const channel = result.accounts.find(({ address }) => address === result.channel)
    const close = channel?.transactions.find(({ hash }) => hash === result.closeTransaction)
    assert.ok(close !== undefined && BigInt(close.sentNano) > 0n)
    assert.equal(channel?.afterNano, '0')
    assert.equal(result.paidNano, result.costNano)
    await assertNothingLeft()
  })

  it('stops and removes everything on Ctrl-C while the providers start', async () => {
    const cli = new CliProcess(['simnet', 'demo', '-p', '2'], environment())
    // The demo, the chain, two providers.
    await until(async () => (await processesWith(`TMPDIR=${folder()}`)).length >= 4, LIMIT_MS)
    cli.child.kill('SIGINT')
    assert.equal(await cli.ended(), 130, cli.stderr)
    assert.match(cli.stderr, /CANCELLED/)
    await assertNothingLeft()
  })

  it('says in one line what is wrong with a model, and leaves nothing behind', async () => {
    const model = new URL(import.meta.url).pathname
    const { code, stderr } = await runCli(['simnet', 'demo', '-p', '1', '--json', '--model', model], {
      env: environment()
    })
    assert.equal(code, 3)
    const last = stderr.trimEnd().split('\n').at(-1) ?? ''
    const { error } = JSON.parse(last) as { error: { code: string; message: string } }
    assert.equal(error.code, 'SIMNET_PROCESS_FAILED')
    assert.match(error.message, /provider-1 .*GGUF/)
    await assertNothingLeft()
  })

  it('cleans up after one that was killed', async () => {
    const killed = new CliProcess(['simnet', 'demo', '-p', '1'], environment())
    await until(async () => (await processesWith(`TMPDIR=${folder()}`)).length >= 3, LIMIT_MS)
    killed.child.kill('SIGKILL')
    await killed.ended()
    assert.ok((await processesWith(`TMPDIR=${folder()}`)).length > 0)
    const next = new CliProcess(['simnet', 'demo', '-p', '1'], environment())
    await until(() => next.stdout.includes('Chain at'), LIMIT_MS)
    next.child.kill('SIGTERM')
    assert.equal(await next.ended(), 130, next.stderr)
    await assertNothingLeft()
  })
})
