import assert from 'node:assert/strict'
import { AnswerBrokenError, type AnswerEvent } from '../../src/client/index.ts'
import { tokenCost } from '../../src/core/price.ts'
import type { CocoonNode } from '../../src/node/index.ts'
import { CliProcess } from '../support/cli-process.ts'
import { askAll, question, TestMesh } from '../support/test-mesh.ts'
import { until } from '../support/until.ts'

describe('a provider killed in the middle of an answer', function () {
  this.timeout(60_000)
  let mesh: TestMesh
  let process: CliProcess
  let providerHome: string
  let clientHome: string
  let client: CocoonNode

  before(async () => {
    mesh = await TestMesh.start()
    providerHome = await mesh.home()
    process = new CliProcess(['provide', '--home', providerHome, '--threads', '1', '--json'])
    await until(() => process.events().some(({ event }) => event === 'ready'), 30_000)
    const ready = process.events().find(({ event }) => event === 'ready')
    clientHome = await mesh.home()
    const bootstrap = ready?.['addresses'] as string[]
    client = await mesh.reopen('client', clientHome, {
      overrides: config => ({ ...config, mesh: { ...config.mesh, bootstrap } })
    })
    await until(() => process.events().some(({ event }) => event === 'published'), 30_000)
  })
  after(async () => {
    process.child.kill('SIGKILL')
    await process.ended()
    await mesh.stop()
  })

  it('leaves the client with an error that names it and what was paid, and both ledgers load again', async () => {
    const broken = await killAfterFirstText()
    assert.equal(broken.code, 'PROVIDER_LOST')
    const { peerId, cost, paid, usage } = broken.broken
    const window = client.config.provider.windowTokens
    assert.equal(peerId, process.events()[0]?.['peerId'])
    assert.ok(broken.message.includes(peerId))
    assert.ok(usage.completionTokens > 0)
    const { prices } = client.config.provider
    assert.equal(cost, tokenCost(prices, usage))
    const oneWindowMore = tokenCost(prices, { ...usage, completionTokens: usage.completionTokens + window })
    assert.ok(
      paid >= cost && paid <= oneWindowMore,
      `paid ${paid}, delivered ${cost}, one window more ${oneWindowMore}`
    )

    const [before] = client.payer.list()
    await client.stop()
    const again = await mesh.reopen('client', clientHome)
    const [after] = again.payer.list()
    assert.equal(after?.channel, before?.channel)
    assert.equal(after?.signed, before?.signed)

    const restarted = await mesh.reopen('provider', providerHome, {
      overrides: config => ({ ...config, provider: { ...config.provider, threads: 1 } })
    })
    const [held] = restarted.payee.list()
    assert.ok(held)
    assert.equal(held.channel, before?.channel)
    assert.ok(held.promised > 0n && held.promised <= (before?.signed ?? 0n))
    assert.equal(restarted.payee.state(held.channel).highest?.cumulative, held.promised)

    await again.mesh.connect(restarted.peerId, restarted.mesh.addresses())
    await restarted.provider?.published
    const { text, provider } = await askAll(again, question())
    assert.ok(text.length > 0)
    assert.equal(provider.channel, before?.channel)
    // Both sides agreed on what the broken job had delivered: what was prepaid for nothing paid for the next answer.
    assert.ok(after && after.uncertain > 0n)
    const [reconciled] = again.payer.list()
    assert.equal(reconciled?.uncertain, 0n)
    assert.equal(reconciled?.used, restarted.payee.list()[0]?.delivered)
  })

  async function killAfterFirstText(): Promise<AnswerBrokenError> {
    const received: AnswerEvent[] = []
    try {
      for await (const event of client.client?.ask(question({ maxTokens: 600 })) ?? []) {
        received.push(event)
        if (event.type === 'text') {
          process.child.kill('SIGKILL')
          await process.ended()
        }
      }
    } catch (err) {
      assert.ok(err instanceof AnswerBrokenError, String(err))
      return err
    }
    return assert.fail(`The answer was whole: ${received.length} events`)
  }
})
