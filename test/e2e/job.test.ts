import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { SIMNET_POLICY, verifyStoredReceipt } from '../../src/attest/index.ts'
import { systemClock } from '../../src/core/clock.ts'
import { DEFAULT_MODEL } from '../../src/core/default-model.ts'
import { errorCode } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { tokenCost } from '../../src/core/price.ts'
import { systemRandom } from '../../src/core/random.ts'
import { createMesh, type Mesh, PeerKeys } from '../../src/mesh/index.ts'
import {
  type CocoonNode,
  describeEnclave,
  judgeAttestationFile,
  openAccount,
  saveAttestation
} from '../../src/node/index.ts'
import { generateHpkeKeyPair, openRequest, ReplayGuard } from '../../src/seal/index.ts'
import { decodeAnnouncement } from '../../src/wire/announcement.ts'
import { modelAnswer } from '../support/model-answer.ts'
import { useTempFolder } from '../support/temp-folder.ts'
import { askAll, question, TestMesh } from '../support/test-mesh.ts'
import { until } from '../support/until.ts'

describe('a job over the mesh', function () {
  this.timeout(60_000)
  let mesh: TestMesh
  let providers: CocoonNode[]
  let client: CocoonNode

  before(async () => {
    mesh = await TestMesh.start()
    providers = [await mesh.provider(), await mesh.provider()]
    await mesh.published()
    client = await mesh.client()
  })
  after(() => mesh.stop())
  const folder = useTempFolder()

  it('answers what the engine answers, for the price of its tokens, with a receipt that verifies offline', async () => {
    const { text, provider, end } = await askAll(client, question())
    assert.equal(text, await modelAnswer(question().messages[0]?.content ?? '', 120))
    const serving = providers.find(node => node.peerId === provider.peerId)
    assert.ok(serving?.provider)
    assert.equal(end.cost, tokenCost(serving.config.provider.prices, end.usage))
    assert.ok(end.paid >= end.cost)
    const keys = new PeerKeys()
    const { receipt } = await verifyStoredReceipt({
      stored: end.receipt,
      policy: SIMNET_POLICY,
      verifyPeerSignature: (peer, message, signature) => keys.verify(peer, message, signature)
    })
    assert.equal(receipt.completionTokens, end.usage.completionTokens)
    assert.equal(receipt.clientPeerId, client.peerId)
    assert.equal((await client.receipts.list())[0]?.jobId, receipt.jobId)
  })

  it('asks the same provider directly the second time, without a second channel', async () => {
    const first = await askAll(client, question())
    const second = await askAll(client, question())
    assert.equal(second.provider.warm, true)
    assert.equal(second.provider.peerId, first.provider.peerId)
    assert.equal(second.text, first.text)
    assert.equal(client.payer.list().filter(channel => channel.peerId === first.provider.peerId).length, 1)
  })

  it('shows what it runs over a challenge, which can be judged again offline', async () => {
    const peerId = providers[0]?.peerId ?? ''
    const shown = await (client.client as NonNullable<CocoonNode['client']>).attestation(peerId)
    assert.ok('enclave' in shown)
    const { enclave, stored } = shown
    assert.equal(enclave.statement.peerId, peerId)
    assert.equal(stored.challenge?.byteLength, 32)
    assert.deepEqual(describeEnclave(enclave).cannot, [], 'a simulated enclave promises nothing')
    const file = join(folder(), 'attestation.json')
    await saveAttestation(file, stored)
    const judged = await judgeAttestationFile(file, { allowSimulated: true })
    assert.deepEqual(judged.statement, enclave.statement)
    await assert.rejects(judgeAttestationFile(file, { allowSimulated: false }), { code: 'ATTESTATION_TIER_REFUSED' })
    const nowMs = enclave.statement.notAfterMs
    await assert.rejects(judgeAttestationFile(file, { allowSimulated: true, nowMs }), { code: 'ATTESTATION_EXPIRED' })
    await assert.rejects(saveAttestation(file, stored), { code: 'ATTESTATION_FILE_NOT_WRITABLE' })
  })

  it('carries a request larger than an announcement on the job stream', async () => {
    const fresh = await mesh.client()
    // Far more than the model's context: the enclave says so, which it can only after it opened the whole request.
    const request = question({ messages: [{ role: 'user', content: randomBytes(30_000).toString('hex') }] })
    await assert.rejects(askAll(fresh, request), err => errorCode(err) === 'PROMPT_TOO_LONG')
  })

  it('charges nothing for a question that is refused', async () => {
    const fresh = await mesh.client()
    const request = question({ messages: [{ role: 'user', content: 'word '.repeat(3_000) }] })
    await assert.rejects(askAll(fresh, request), err => errorCode(err) === 'PROMPT_TOO_LONG')
    const owed = providers.flatMap(node => node.payee.list()).filter(channel => channel.peerId === fresh.peerId)
    assert.deepEqual(
      owed.map(channel => channel.delivered),
      owed.map(() => 0n)
    )
    // What was prepaid for it pays for the next answer of that provider.
    const refused = fresh.payer.list()[0]
    const { end } = await askAll(fresh, question({ provider: refused?.peerId ?? '' }))
    assert.equal(fresh.payer.list()[0]?.used, end.cost)
  })

  it('is unreadable for subscribers it is not addressed to, and an addressed loser does not run it', async () => {
    const bystanders = await Promise.all([bystander(mesh, providers), bystander(mesh, providers)])
    try {
      const fresh = await mesh.client()
      const before = served(providers)
      await askAll(fresh, question())
      for (const { announcements } of bystanders) {
        await until(() => announcements.length > 0)
        const job = decodeAnnouncement(announcements[0] as Uint8Array)
        assert.equal(job.recipients.length, 2)
        assert.equal(job.body.kind, 'inline')
        for (const recipient of job.recipients) {
          assert.throws(
            () =>
              openRequest({
                jobId: job.jobId,
                keyPair: generateHpkeKeyPair(),
                statementDigest: randomBytes(32),
                recipient,
                sealedRequest: job.body.kind === 'inline' ? job.body.sealedRequest : new Uint8Array(),
                replayGuard: new ReplayGuard()
              }),
            err => errorCode(err) === 'SEAL_WRONG_RECIPIENT'
          )
        }
      }
      const after = served(providers)
      const jobs = after.map((count, at) => count - (before[at] ?? 0))
      assert.deepEqual([Math.min(...jobs), Math.max(...jobs)], [0, 1])
    } finally {
      await Promise.all(bystanders.map(one => one.mesh.stop()))
    }
  })

  it('closes its channel cooperatively and gives back what was not used', async () => {
    const fresh = await mesh.client()
    const { end, provider } = await askAll(fresh, question())
    const [channel] = fresh.payer.list()
    assert.ok(channel)
    const payee = providers.find(node => node.peerId === provider.peerId)
    assert.ok(payee)
    const closed = await fresh.client?.closeChannel(channel.channel)
    assert.equal(closed?.paid, end.cost)
    const payouts = (await payee.chain.transactionsOf(payee.wallet.address)).filter(tx => tx.from === channel.channel)
    assert.deepEqual(
      payouts.map(tx => tx.inValue),
      [end.cost]
    )
    assert.equal((await fresh.chain.readChannel(channel.channel)).state, 'missing')
    assert.equal(fresh.payer.list()[0]?.state, 'closed')
  })

  it('closes a channel that its provider never knew without it, once the challenge period is over', async () => {
    const home = await mesh.home()
    const stranger = await mesh.reopen('client', home, {
      overrides: config => ({ ...config, client: { ...config.client, challengeSeconds: 1 } })
    })
    await stranger.mesh.connect((providers[0] as CocoonNode).peerId, (providers[0] as CocoonNode).mesh.addresses())
    const before = await stranger.wallet.balance()
    const opened = await stranger.client?.openChannel((providers[0] as CocoonNode).peerId)
    const channel = opened?.channel ?? ''
    await assert.rejects(stranger.client?.closeChannel(channel) ?? Promise.resolve(), { code: 'CHANNEL_REFUSED' })
    await stranger.stop()

    const account = await openAccount({ home })
    try {
      const started = await account.closeAlone(channel)
      assert.equal(started.step, 'started')
      await until(async () => (await account.chain.tip()).timeMs > started.refundAtMs, 20_000)
      const finished = await account.closeAlone(channel)
      assert.equal(finished.step, 'finished')
      assert.equal((await account.chain.readChannel(channel)).state, 'missing')
      const spent = before - (await account.wallet.balance())
      assert.ok(spent > 0n && spent < 100_000_000n, `only fees are gone: ${spent}`)
      await assert.rejects(account.closeAlone(channel), { code: 'CHANNEL_CLOSED' })
    } finally {
      await account.close()
    }
  })
})

/** Jobs each provider booked. */
function served(providers: readonly CocoonNode[]): number[] {
  return providers.map(node => node.payee.list().filter(channel => channel.delivered > 0n).length)
}

/** A peer of the mesh that only listens to the model's topic. */
async function bystander(
  mesh: TestMesh,
  providers: readonly CocoonNode[]
): Promise<{ mesh: Mesh; announcements: Uint8Array[] }> {
  const announcements: Uint8Array[] = []
  const node = await createMesh(
    {
      privateKeySeed: randomBytes(32),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: providers.flatMap(provider => provider.mesh.addresses()),
      mdns: false,
      allowPrivateAddresses: true,
      role: 'client'
    },
    { logger: silentLogger, clock: systemClock, random: systemRandom }
  )
  await node.start()
  node.onAnnouncement(
    DEFAULT_MODEL.digestHex,
    () => 'accept',
    (_from, bytes) => announcements.push(bytes)
  )
  return { mesh: node, announcements }
}
