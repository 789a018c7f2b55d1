import assert from 'node:assert/strict'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CocoonNode } from '../../src/node/index.ts'
import { CliProcess, runCli } from '../support/cli-process.ts'
import { askAll, question, TestMesh } from '../support/test-mesh.ts'
import { until } from '../support/until.ts'

/** An answer costs a good part of a coin: what is less than its fees is claimed by nobody. */
const PRICES = { promptPerMTokens: '1000000000', cachedPromptPerMTokens: '0', completionPerMTokens: '2000000000000' }
const MAX_PRICES = { promptPerMTokens: '1000000000', completionPerMTokens: '2000000000000' }

type Event = Record<string, unknown>

/** The chain's time; the machine's clock is left alone. */
const chainClock = { aheadMs: 0, nowMs: () => Date.now() + chainClock.aheadMs }

describe('a provider that is killed while its client closes the channel alone', function () {
  this.timeout(120_000)
  let mesh: TestMesh
  let providerHome: string
  let clientHome: string
  let provider: CliProcess
  let watcher: CliProcess | undefined

  before(async () => {
    mesh = await TestMesh.start(chainClock)
    providerHome = await mesh.home()
    await configure(providerHome, { provider: { prices: PRICES }, channels: { voucherFolder: 'vouchers' } })
    clientHome = await mesh.home()
  })
  beforeEach(async () => {
    provider = await startProvider()
    const ready = provider.events().find(({ event }) => event === 'ready')
    await configure(clientHome, {
      mesh: { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap: ready?.['addresses'] },
      client: { maxPrices: MAX_PRICES, challengeSeconds: 7_200 }
    })
  })
  afterEach(async () => {
    for (const process of [provider, watcher]) {
      process?.child.kill('SIGKILL')
      await process?.ended()
    }
    watcher = undefined
  })
  after(() => mesh.stop())

  it('P07 is paid by a watcher that has nothing but a copy of its last voucher', async () => {
    const { channel, cost, signed, client } = await paidJob()
    const file = join(providerHome, 'vouchers', `${channel.slice(2)}.voucher`)
    await until(async () => (await amountIn(file)) >= cost, 30_000)
    await killProvider()
    await client.stop()
    const promised = await amountIn(file)
    assert.ok(promised <= signed)

    // Elsewhere: neither home nor wallet, and a file that is not a voucher beside the good one.
    const elsewhere = await mesh.home(0n)
    const copy = join(elsewhere, 'copy.voucher')
    const bad = join(elsewhere, 'bad.voucher')
    await copyFile(file, copy)
    await writeFile(bad, 'cocoon-voucher 1\nnetwork -217\n')
    const args = ['watch', copy, bad, '--endpoint', mesh.endpoint, '--interval', '0.5', '--json']
    watcher = new CliProcess(args, { HOME: '/nonexistent', COCOON_HOME: '' })
    await saw('watching')
    assert.equal(seen('bad-file')?.['file'], bad)
    assert.equal(seen('watching')?.['amountNano'], String(promised))
    const before = await balance(client, seen('watching')?.['payeeAddress'])

    await mesh.post('/simnet/faults', { down: true })
    await saw('trouble')
    await mesh.post('/simnet/faults', { down: false })

    const closing = await runCli(['channel', 'close', '--alone', channel, '--home', clientHome, '--json'])
    assert.equal(closing.code, 0, closing.stderr)
    await saw('claimed')
    assert.equal(seen('closing')?.['late'], false)

    const reader = await mesh.reopen('client', elsewhere)
    const view = await reader.chain.readChannel(channel)
    assert.deepEqual([view.state, view.settled], ['closing', promised])
    const paid = (await balance(reader, seen('watching')?.['payeeAddress'])) - before
    // All of it but the fees of the claim.
    assert.ok(paid > (promised * 9n) / 10n && paid < promised, `${paid} of ${promised}`)
    await reader.stop()

    watcher.child.kill('SIGINT')
    assert.equal(await watcher.ended(), 0)
    assert.equal(seen('ended')?.['claimedNano'], String(promised))
  })

  it('P07 claims before it serves when it comes back', async () => {
    const { channel, cost, signed, client } = await paidJob()
    await killProvider()
    await client.stop()
    const closing = await runCli(['channel', 'close', '--alone', channel, '--home', clientHome, '--json'])
    assert.equal(closing.code, 0, closing.stderr)

    provider = await startProvider()
    const reader = await mesh.reopen('client', await mesh.home(0n))
    const { settled } = await reader.chain.readChannel(channel)
    assert.ok(settled >= cost && settled <= signed, `${settled} of ${signed}`)
    await reader.stop()
  })

  it('P40 its client starts and finishes the close with its own key alone', async () => {
    const peer = String(provider.events()[0]?.['peerId'])
    const opened = await runCli(['channel', 'open', peer, '1', '--home', clientHome, '--json'])
    assert.equal(opened.code, 0, opened.stderr)
    const channel = String((JSON.parse(opened.stdout) as Event)['channel'])
    await killProvider()
    const before = await walletBalance()

    const close = (): ReturnType<typeof runCli> =>
      runCli(['channel', 'close', '--alone', channel, '--home', clientHome, '--json'])
    const started = await close()
    assert.equal((JSON.parse(started.stdout) as Event)['step'], 'started', started.stderr)
    const early = await close()
    assert.match(early.stderr, /CHANNEL_CHALLENGE_RUNNING/)
    // P35: nothing but the wallet's key and the chain is left of it all.
    await rm(join(clientHome, 'data'), { recursive: true })
    const found = await runCli(['channel', 'recover', '--home', clientHome, '--json'])
    assert.equal(found.code, 0, found.stderr)
    const recovered = found.stdout.split('\n').find(line => line.includes(channel)) ?? ''
    assert.deepEqual(
      [(JSON.parse(recovered) as Event)['found'], (JSON.parse(recovered) as Event)['state']],
      ['recovered', 'closing']
    )
    chainClock.aheadMs = 7_300_000
    const finished = await close()
    assert.equal((JSON.parse(finished.stdout) as Event)['step'], 'finished', finished.stderr)
    const back = (await walletBalance()) - before
    assert.ok(back > 990_000_000n && back < 1_100_000_000n, `${back} came back`)
    const list = await runCli(['channel', 'list', '--home', clientHome, '--json'])
    const closed = list.stdout.split('\n').find(line => line.includes(channel)) ?? ''
    assert.equal((JSON.parse(closed) as Event)['state'], 'closed')
  })

  async function startProvider(): Promise<CliProcess> {
    const started = new CliProcess(['provide', '--home', providerHome, '--threads', '1', '--json'])
    await until(() => started.events().some(({ event }) => event === 'ready'), 40_000)
    return started
  }

  async function killProvider(): Promise<void> {
    provider.child.kill('SIGKILL')
    await provider.ended()
  }

  /** One answered question; what its channel was promised for it. */
  async function paidJob(): Promise<{ channel: string; cost: bigint; signed: bigint; client: CocoonNode }> {
    const client = await mesh.reopen('client', clientHome)
    const { provider: served } = await askAll(client, question())
    const paid = client.payer.list().find(c => c.channel === served.channel)
    assert.ok(paid !== undefined && paid.used > 50_000_000n)
    return { channel: paid.channel, cost: paid.used, signed: paid.signed, client }
  }

  function seen(type: string): Event | undefined {
    return watcher?.events().find(({ event }) => event === type)
  }

  async function saw(type: string): Promise<void> {
    await until(() => seen(type) !== undefined, 40_000).catch(() =>
      assert.fail(`no "${type}" from the watcher: ${watcher?.stdout}${watcher?.stderr}`)
    )
  }

  async function balance(node: CocoonNode, address: unknown): Promise<bigint> {
    const transactions = await node.chain.transactionsOf(String(address))
    return transactions.reduce((sum, { inValue }) => sum + inValue, 0n)
  }

  async function walletBalance(): Promise<bigint> {
    const { stdout } = await runCli(['wallet', '--home', clientHome, '--json'])
    return BigInt(String((JSON.parse(stdout) as Event)['balanceNano']))
  }
})

/** What a voucher's file promises; zero while there is none. */
async function amountIn(file: string): Promise<bigint> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return BigInt(/^amount (\d+)$/m.exec(text)?.[1] ?? 0)
}

/** Changes groups of a home's `config.json`. */
async function configure(home: string, changes: Record<string, object>): Promise<void> {
  const path = join(home, 'config.json')
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, object | undefined>
  for (const [group, settings] of Object.entries(changes)) {
    config[group] = { ...config[group], ...settings }
  }
  await writeFile(path, JSON.stringify(config))
}
