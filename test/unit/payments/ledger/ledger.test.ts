import assert from 'node:assert/strict'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { fromHex } from '../../../../src/core/bytes.ts'
import { errorCode } from '../../../../src/core/errors.ts'
import { Ledger } from '../../../../src/payments/index.ts'
import { type JobLine, jobKey } from '../../../../src/payments/ledger/job-line.ts'
import { payeeRecord } from '../../../../src/payments/ledger/ledger-records.ts'
import { decodeRecord, encodeRecord, textField } from '../../../../src/payments/ledger/record-codec.ts'
import type { PayeeChannel } from '../../../../src/payments/payee/payee-channel.ts'
import { type PayerChannel, planChannel } from '../../../../src/payments/payer/payer-channel.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import {
  amount,
  CLIENT_PEER,
  PAYEE_ADDRESS,
  PAYEE_KEY,
  PAYER_ADDRESS,
  PAYER_KEY,
  PROVIDER_PEER
} from '../../../support/payment-pair.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'

const CHANNEL = `0:${'cd'.repeat(32)}`
const TERMS = {
  globalId: -217,
  payerKey: PAYER_KEY.publicKey,
  payerAddress: PAYER_ADDRESS,
  payeeKey: PAYEE_KEY.publicKey,
  payeeAddress: PAYEE_ADDRESS,
  salt: (1n << 64n) - 1n,
  challengeSeconds: 3_600
}

function payerRecord(channel = CHANNEL): PayerChannel {
  return {
    ...planChannel(channel, TERMS, PROVIDER_PEER, { amount: amount(5), before: amount(0), sentAtMs: 12 }),
    state: 'closing',
    openedLt: 99n,
    signed: amount(2n ** 119n),
    signature: fromHex('ab'.repeat(64)),
    running: ['job/payer/1/aa'],
    closeOrder: {
      openedLt: 99n,
      cumulative: amount(7),
      validUntil: 1_800_003_600,
      payeeSignature: fromHex('cd'.repeat(64))
    }
  }
}

const PAYEE_RECORD: PayeeChannel = {
  channel: CHANNEL,
  terms: TERMS,
  peerId: CLIENT_PEER,
  state: 'open',
  openedLt: 99n,
  deposit: amount(1_000),
  settled: amount(1),
  accepted: amount(30),
  signature: fromHex('ef'.repeat(64)),
  delivered: amount(20),
  uncertain: amount(2),
  charged: amount(1),
  running: [],
  agreed: { cumulative: amount(20), validUntil: 1_800_003_600 },
  viewedAtMs: 1_800_000_000_001,
  closeAtMs: 1_800_000_000_002,
  unclaimedSinceMs: 1_800_000_000_003,
  lastUsedAtMs: 1_800_000_000_004,
  needsResync: true
}

const JOB: JobLine = {
  role: 'payee',
  jobId: 'a0',
  channel: CHANNEL,
  peerId: CLIENT_PEER,
  startedAtMs: 1_800_000_000_000,
  outcome: 'ended',
  promptTokens: 10,
  cachedPromptTokens: 1,
  completionTokens: 200,
  cost: amount(20),
  paid: amount(30)
}

function load(stored: Iterable<[string, string]>): Promise<unknown> {
  return new Ledger(new FakeLedgerDatabase(stored)).payeeChannels()
}

/** A ledger in a sublevel of a real database, as a node has it. */
async function withLedger<T>(folder: string, use: (ledger: Ledger, database: ClassicLevel) => Promise<T>): Promise<T> {
  const database = new ClassicLevel(folder)
  await database.open()
  try {
    return await use(new Ledger(database.sublevel('ledger')), database)
  } finally {
    await database.close()
  }
}

describe('ledger', () => {
  const folder = useTempFolder()

  it('gives back every record after the database was closed and opened again', async () => {
    await withLedger(folder(), async ledger => {
      await ledger.commit({ kind: 'payer', record: payerRecord() }, { kind: 'payee', record: PAYEE_RECORD })
      await ledger.commit(
        { kind: 'job', record: JOB },
        { kind: 'job', record: { ...JOB, startedAtMs: JOB.startedAtMs + 1 } }
      )
    })
    await withLedger(folder(), async ledger => {
      assert.deepEqual(await ledger.payerChannels(), [payerRecord()])
      assert.deepEqual(await ledger.payeeChannels(), [PAYEE_RECORD])
      assert.deepEqual(await ledger.job(jobKey(JOB)), JOB)
      assert.deepEqual(await ledger.jobs('payee', 1), [{ ...JOB, startedAtMs: JOB.startedAtMs + 1 }])
      assert.deepEqual(await ledger.jobs('payer'), [])
    })
  })

  it('forgets a channel that was never funded', async () => {
    await withLedger(folder(), async ledger => {
      await ledger.commit({ kind: 'payer', record: payerRecord() })
      await ledger.commit({ kind: 'payer-forgotten', channel: CHANNEL })
      assert.deepEqual(await ledger.payerChannels(), [])
    })
  })

  it('asks the real database for a sync, through the sublevel', async () => {
    await withLedger(folder(), async (ledger, database) => {
      const seen: unknown[] = []
      const batch = database.batch.bind(database) as (operations: unknown[], options: object) => Promise<void>
      Object.assign(database, {
        batch: (operations: unknown[], options: object) => {
          seen.push('sync' in options && options.sync)
          return batch(operations, options)
        }
      })
      await ledger.commit({ kind: 'payee', record: PAYEE_RECORD })
      assert.deepEqual(seen, [true])
    })
  })

  it('writes what arrives in one tick, or during a write, as one batch', async () => {
    const database = new FakeLedgerDatabase()
    const ledger = new Ledger(database)
    const write = (n: number): Promise<void> => ledger.commit({ kind: 'payer', record: payerRecord(`0:${n}`) })
    database.before = () => {
      if (database.batches.length === 0 && later.length === 0) {
        later.push(...Array.from({ length: 5 }, (_, n) => write(100 + n)))
      }
    }
    const later: Array<Promise<void>> = []
    await Promise.all(Array.from({ length: 32 }, (_, n) => write(n)))
    await Promise.all(later)
    assert.deepEqual(database.batches, [
      // One more each: the seal.
      { size: 33, sync: true },
      { size: 6, sync: true }
    ])
  })

  it('rejects every write of a batch that failed, and writes the next one', async () => {
    const database = new FakeLedgerDatabase()
    const ledger = new Ledger(database)
    database.before = () => {
      throw new Error('disk full')
    }
    const writes = [1, 2].map(() => ledger.commit({ kind: 'payee', record: PAYEE_RECORD }))
    const results = await Promise.allSettled(writes)
    assert.deepEqual(
      results.map(result => result.status === 'rejected' && errorCode(result.reason)),
      ['LEDGER_WRITE_FAILED', 'LEDGER_WRITE_FAILED']
    )
    database.before = () => undefined
    await ledger.commit({ kind: 'payee', record: PAYEE_RECORD })
    assert.equal((await ledger.payeeChannels()).length, 1)
  })

  it('names the key of a record that was changed in any byte, cut short or put under another key', async () => {
    const database = new FakeLedgerDatabase()
    await new Ledger(database).commit({ kind: 'payee', record: PAYEE_RECORD })
    const [[key, good], seal] = [...database.stored] as [[string, string], [string, string]]
    await load([[key, good], seal])
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 127 }), async (at, flip) => {
        const changed = good.slice(0, at) + String.fromCharCode(good.charCodeAt(at) ^ flip) + good.slice(at + 1)
        await assert.rejects(load([[key, changed], seal]), { code: 'LEDGER_CORRUPT', details: { key } })
        await assert.rejects(load([[key, good.slice(0, at)], seal]), { code: 'LEDGER_CORRUPT', details: { key } })
      }),
      { numRuns: 200 }
    )
    await assert.rejects(load([[`payee/0:${'00'.repeat(32)}`, good], seal]), { code: 'LEDGER_CORRUPT' })
  })

  it('P32 finds out that a record is gone, or is an older one than was written last', async () => {
    const database = new FakeLedgerDatabase()
    const ledger = new Ledger(database)
    const states: Array<Map<string, string>> = []
    for (let n = 0; n < 6; n++) {
      const record = { ...PAYEE_RECORD, channel: `${CHANNEL.slice(0, -1)}${n % 3}`, accepted: amount(30 + n) }
      await ledger.commit({ kind: 'payee', record }, { kind: 'job', record: { ...JOB, startedAtMs: n } })
      await ledger.commit({ kind: 'payer', record: payerRecord(record.channel) })
      states.push(new Map(database.stored))
    }
    const last = states.at(-1) as Map<string, string>
    for (const state of states) {
      await load(state)
      for (const [key, stored] of state) {
        if (!key.startsWith('job/')) {
          const others = [...last].filter(([other]) => other !== key)
          await assert.rejects(load(others), { code: 'LEDGER_CORRUPT' }, `without ${key}`)
          const isOld = last.get(key) !== stored
          await (isOld ? assert.rejects(load([...others, [key, stored]]), { code: 'LEDGER_CORRUPT' }, `old ${key}`) : 0)
        }
      }
    }
  })

  it('P32 goes on from what is on disk after a write of which nobody knows whether it got there', async () => {
    for (const arrives of [false, true]) {
      const database = new FakeLedgerDatabase()
      const ledger = new Ledger(database)
      await ledger.commit({ kind: 'payee', record: PAYEE_RECORD })
      database.before = operations => {
        for (const operation of arrives ? operations : []) {
          database.stored.set(operation.key, operation.type === 'put' ? operation.value : '')
        }
        throw new Error('no answer')
      }
      const next = { ...PAYEE_RECORD, accepted: amount(40) }
      await assert.rejects(ledger.commit({ kind: 'payee', record: next }), { code: 'LEDGER_WRITE_FAILED' })
      database.before = () => undefined
      await ledger.commit({ kind: 'payer', record: payerRecord() })
      assert.deepEqual(await load(database.stored), [arrives ? next : PAYEE_RECORD])
    }
  })

  it('refuses a record with a member too many, too few or of another form, though its checksum is right', async () => {
    const key = `payee/${CHANNEL}`
    const database = new FakeLedgerDatabase()
    await new Ledger(database).commit({ kind: 'payee', record: PAYEE_RECORD })
    const good = JSON.parse((database.stored.get(key) ?? '').replace(/^[12] [0-9a-f]{8} /, '')) as Record<
      string,
      unknown
    >
    const { settled: _settled, ...without } = good
    for (const body of [
      { ...good, extra: 1 },
      without,
      { ...good, deposit: 1_000 },
      { ...good, deposit: '01' },
      { ...good, state: 'new' }
    ]) {
      const raw = { ...textField, write: () => JSON.stringify(body) }
      assert.throws(() => decodeRecord(key, payeeRecord, encodeRecord(key, raw, '')), { code: 'LEDGER_CORRUPT' })
    }
  })
})
