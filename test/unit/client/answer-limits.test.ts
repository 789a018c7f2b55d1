import assert from 'node:assert/strict'
import { type AnswerComponents, type AnswerSettings, answer, type ReadyJob } from '../../../src/client/answer.ts'
import { ClientChannels } from '../../../src/client/channels.ts'
import { NetworkError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { amount, PAYEE_ADDRESS, PAYEE_KEY, PaymentPair, POLICY, PROVIDER_PEER } from '../../support/payment-pair.ts'
import { sampleCapacity } from '../mesh/samples.ts'
import { FakeMesh } from './mesh-fixture.ts'

const CAPACITY = sampleCapacity(PROVIDER_PEER, {
  payment: { payeeKey: PAYEE_KEY.publicKey, payeeAddress: PAYEE_ADDRESS, minimumDeposit: amount(500), networks: [-217] }
})

/** One nanoton a token: with 100 bytes of request, 256 of template and 400 of answer, 756 at most. */
const TERMS = {
  prices: {
    promptPerMTokens: amount(1_000_000),
    cachedPromptPerMTokens: amount(0),
    completionPerMTokens: amount(1_000_000)
  },
  windowTokens: 32,
  minimumDeposit: amount(500)
}

const SETTINGS: AnswerSettings = {
  modelDigestHex: 'aa'.repeat(32),
  maxTokens: 400,
  requestBytes: 100,
  stallTimeoutMs: 1_000,
  depositPolicy: POLICY,
  maxWindowTokens: 32,
  privacy: 'standard'
}

/** Begins a job with a provider and stops at its first failure, before anything is sealed or opened. */
async function begin(pair: PaymentPair, mesh: FakeMesh, job: Partial<ReadyJob> = {}): Promise<void> {
  const channels = new ClientChannels({ mesh: mesh.asMesh(), payer: pair.payer, logger: silentLogger })
  const components = { mesh: mesh.asMesh(), payer: pair.payer, channels, clock: pair.clock }
  const ready = { candidate: { capacity: CAPACITY }, peer: { peerId: PROVIDER_PEER }, terms: TERMS, ...job }
  await answer(components as unknown as AnswerComponents, ready as unknown as ReadyJob, SETTINGS, undefined).next()
}

describe('a job that cannot be begun', () => {
  let pair: PaymentPair
  let mesh: FakeMesh
  const limit = async (limits: PaymentPair['payerInit']['limits']): Promise<void> => {
    pair.payerInit = { ...pair.payerInit, ...(limits === undefined ? {} : { limits }) }
    await pair.restartPayer().start()
  }
  beforeEach(async () => {
    pair = await new PaymentPair().start()
    mesh = new FakeMesh()
  })
  afterEach(() => {
    assert.deepEqual(
      [pair.chain.log.length, pair.payer.list().length, mesh.opened.length],
      [0, 0, 0],
      'nothing was locked, stored or sent'
    )
  })

  it('P28 is refused before money moves where it may cost more than any job', async () => {
    await limit({ maxJobCost: amount(755) })
    await assert.rejects(begin(pair, mesh), { code: 'SPENDING_CAP', details: { cost: 756n, cap: 755n } })
  })

  it('P28 is refused before money moves where the day has less left than it may cost', async () => {
    await limit({ maxSpendPerDay: amount(700) })
    await assert.rejects(begin(pair, mesh), { code: 'SPENDING_DAY_LIMIT' })
    await limit({ maxDepositPerDay: amount(700) })
    await assert.rejects(begin(pair, mesh), { code: 'DEPOSIT_DAY_LIMIT' })
  })

  it('P28 is refused before money moves where its provider is gone', async () => {
    mesh.connect = async () => {
      throw new NetworkError('PEER_UNREACHABLE', 'gone')
    }
    await assert.rejects(begin(pair, mesh), { code: 'PEER_UNREACHABLE' })
  })

  it('P28 is refused before money moves where the offer asks for more than may be locked', async () => {
    const terms = { ...TERMS, minimumDeposit: amount(5_001) }
    await assert.rejects(begin(pair, mesh, { terms }), { code: 'DEPOSIT_OVER_LIMIT' })
  })

  it('P10 costs at most what its provider offered it for', async () => {
    await limit({ maxJobCost: amount(700) })
    // Within the limit by the offer: so it goes on, up to the deposit.
    const terms = { ...TERMS, maxCost: amount(700), minimumDeposit: amount(5_001) }
    await assert.rejects(begin(pair, mesh, { terms }), { code: 'DEPOSIT_OVER_LIMIT' })
  })
})
