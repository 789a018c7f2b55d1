import assert from 'node:assert/strict'
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { errorCode } from '../../../src/core/errors.ts'
import { openStore, type Store } from '../../../src/node/store.ts'
import type { PayeeChannel } from '../../../src/payments/payee/payee-channel.ts'
import { amount, PAYEE_ADDRESS, PAYEE_KEY, PAYER_ADDRESS, PAYER_KEY } from '../../support/payment-pair.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

const CHANNELS = 3
const WRITES = 45

function channelRecord(n: number): PayeeChannel {
  return {
    channel: `0:${String(n % CHANNELS).padStart(64, '0')}`,
    terms: {
      globalId: -217,
      payerKey: PAYER_KEY.publicKey,
      payerAddress: PAYER_ADDRESS,
      payeeKey: PAYEE_KEY.publicKey,
      payeeAddress: PAYEE_ADDRESS,
      salt: 1n,
      challengeSeconds: 3_600
    },
    peerId: '',
    state: 'open',
    openedLt: 9n,
    deposit: amount(1_000),
    settled: amount(0),
    accepted: amount(n),
    signature: new Uint8Array(64).fill(n),
    delivered: amount(0),
    uncertain: amount(0),
    charged: amount(0),
    running: [],
    agreed: { cumulative: amount(0), validUntil: 0 },
    viewedAtMs: 0,
    closeAtMs: 0,
    unclaimedSinceMs: 0,
    lastUsedAtMs: 0,
    needsResync: false
  }
}

/** A key of the datastore, which uses no more of it than its text. */
function key(n: number): Parameters<Store['datastore']['put']>[0] {
  return { toString: () => `/peers/${n}` } as Parameters<Store['datastore']['put']>[0]
}

/** Accepted amounts by channel after so many writes. */
function stateAfter(writes: number): string {
  const accepted = Array.from({ length: CHANNELS }, (_, channel) => {
    const last = writes - ((((writes - channel) % CHANNELS) + CHANNELS) % CHANNELS)
    return last > 0 ? [last] : []
  })
  return accepted.flat().join()
}

async function write(folder: string, from: number, to: number): Promise<void> {
  const store = await openStore(folder)
  for (let n = from; n <= to; n++) {
    // What libp2p remembers stands between the ledger's writes, and is not synced.
    await store.datastore.put(key(n), new Uint8Array(40).fill(n))
    await store.ledger.commit({ kind: 'payee', record: channelRecord(n) })
  }
  await store.close()
}

/** Accepted amounts by channel, or the code of the refusal. */
async function read(folder: string): Promise<string> {
  let store: Store | undefined
  try {
    store = await openStore(folder)
    return (await store.ledger.payeeChannels()).map(({ accepted }) => String(accepted)).join()
  } catch (err) {
    return errorCode(err) ?? String(err)
  } finally {
    await store?.close()
  }
}

describe('store', () => {
  const folder = useTempFolder()
  let data: string
  let copy: string

  beforeEach(async () => {
    data = join(folder(), 'data')
    copy = join(folder(), 'copy')
  })

  /** A database with a table and a log, as after one restart. */
  async function fill(): Promise<void> {
    await write(data, 1, WRITES)
    await write(data, WRITES + 1, 2 * WRITES)
  }

  async function fresh(): Promise<void> {
    await rm(copy, { recursive: true, force: true })
    await cp(data, copy, { recursive: true })
  }

  async function filesOf(pattern: RegExp): Promise<string[]> {
    return (await readdir(data)).filter(name => pattern.test(name))
  }

  it('P32 opens with what was written, or refuses by name, whichever byte of its files is changed', async () => {
    await fill()
    const files = await filesOf(/^(?:CURRENT|MANIFEST-\d+|\d+\.(?:ldb|log))$/)
    // The very last write may be lost with its bytes: nothing tells it from one that was cut short.
    const fine = [stateAfter(2 * WRITES), stateAfter(2 * WRITES - 1)]
    const seen = new Set<string>()
    for (const file of files) {
      const bytes = await readFile(join(data, file))
      const samples = Math.min(bytes.byteLength, 40)
      for (let sample = 0; sample < samples; sample++) {
        const at = Math.floor((bytes.byteLength * (sample + Math.random())) / samples)
        const changed = Buffer.from(bytes)
        changed[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(Math.random() * 255))
        await fresh()
        await writeFile(join(copy, file), changed)
        const found = await read(copy)
        seen.add(found)
        const holds = [...fine, 'STORE_UNREADABLE', 'LEDGER_CORRUPT'].includes(found)
        assert.ok(holds, `${file}: byte ${at} is ${changed[at]} and not ${bytes[at]}: ${found}`)
      }
    }
    assert.deepEqual(
      [fine[0], 'STORE_UNREADABLE', 'LEDGER_CORRUPT'].filter(outcome => !seen.has(outcome ?? '')),
      []
    )
  })

  it('P32 opens with the last whole write, wherever a write was cut short', async () => {
    await fill()
    const [log = ''] = await filesOf(/\.log$/)
    const { size } = await stat(join(data, log))
    const states = new Map(Array.from({ length: WRITES + 1 }, (_, n) => [stateAfter(WRITES + n), n]))
    let last = -1
    for (let cut = 0; cut <= size; cut += Math.ceil(size / 70)) {
      await fresh()
      await truncate(join(copy, log), cut)
      const writes = states.get(await read(copy)) ?? -1
      assert.ok(writes >= last, `${cut} of ${size} bytes: ${writes} whole writes after ${last}`)
      assert.ok(writes >= Math.floor((cut / size) * WRITES) - 1, `${cut} of ${size} bytes hold only ${writes} writes`)
      last = writes
    }
    await fresh()
    assert.equal(await read(copy), stateAfter(2 * WRITES))
  })

  it('P32 does not begin anew over the data of a database whose head is gone', async () => {
    await fill()
    await fresh()
    await rm(join(copy, 'CURRENT'))
    assert.equal(await read(copy), 'STORE_UNREADABLE')
    const [table = ''] = await filesOf(/\.ldb$/)
    await fresh()
    await rm(join(copy, table))
    assert.equal(await read(copy), 'STORE_UNREADABLE')
    // A process that died while it made the database left nothing but a first manifest.
    const begun = join(folder(), 'begun')
    await mkdir(begun)
    await writeFile(join(begun, 'MANIFEST-000001'), '')
    assert.equal(await read(begun), '')
  })

  it('P32 passes over damage in what was never synced', async () => {
    await write(data, 1, 4)
    const store = await openStore(data)
    for (let n = 0; n < 4; n++) {
      await store.datastore.put(key(n), new Uint8Array(40).fill(255))
    }
    await store.close()
    const [log = ''] = await filesOf(/\.log$/)
    const bytes = await readFile(join(data, log))
    bytes[30] = (bytes[30] ?? 0) ^ 1
    await writeFile(join(data, log), bytes)
    assert.equal(await read(data), stateAfter(4))
  })

  it('writes nothing more after a write that failed, whoever writes, until it is opened again', async () => {
    const native = Reflect.get(ClassicLevel.prototype, '_batch') as (...args: unknown[]) => Promise<void>
    let full = false
    const flaky = function (this: ClassicLevel, ...args: unknown[]): Promise<void> {
      return full
        ? Promise.reject(Object.assign(new Error('No space left on device'), { code: 'LEVEL_IO_ERROR' }))
        : native.apply(this, args)
    }
    Object.assign(ClassicLevel.prototype, { _batch: flaky })
    try {
      const store = await openStore(data)
      await store.ledger.commit({ kind: 'payee', record: channelRecord(1) })
      full = true
      await assert.rejects(store.ledger.commit({ kind: 'payee', record: channelRecord(4) }), {
        code: 'LEDGER_WRITE_FAILED'
      })
      full = false
      await assert.rejects(store.ledger.commit({ kind: 'payee', record: channelRecord(7) }), {
        code: 'LEDGER_WRITE_FAILED'
      })
      await assert.rejects(store.datastore.put(key(1), new Uint8Array(1)))
      await store.close()
      assert.equal(await read(data), '1')
      await write(data, 10, 10)
      assert.equal(await read(data), '10')
    } finally {
      Object.assign(ClassicLevel.prototype, { _batch: native })
    }
  })
})
