import assert from 'node:assert/strict'
import { copyFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { receiptStore } from '../../../src/node/index.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { NOW_MS } from '../attest/fixtures.ts'
import { storedReceipt } from './stored-receipts.ts'

const IDS = ['01'.repeat(16), `01${'02'.repeat(15)}`, 'ff'.repeat(16)]

describe('receipt store', () => {
  const folder = useTempFolder()
  const receipts = (): string => join(folder(), 'receipts')

  it('keeps each receipt in a file of its own that only its owner reads', async () => {
    const store = receiptStore(receipts())
    const stored = storedReceipt()
    await store.save(stored)
    assert.deepEqual(await readdir(receipts()), [`${IDS[0]}.json`])
    assert.equal((await stat(join(receipts(), `${IDS[0]}.json`))).mode & 0o777, 0o600)
    assert.deepEqual((await store.get(IDS[0] ?? '')).stored, stored)
    await store.save(stored)
    assert.equal((await store.list()).length, 1)
  })

  it('lists the newest first, and nothing where nothing was saved', async () => {
    const store = receiptStore(receipts())
    assert.deepEqual(await store.list(), [])
    for (const [at, jobId] of IDS.entries()) {
      await store.save(storedReceipt({ jobId, endedAtMs: NOW_MS + [2_000, 3_000, 1_000][at]! }))
    }
    await writeFile(join(receipts(), 'notes.txt'), 'mine')
    await writeFile(join(receipts(), `${IDS[0]}.json.new`), 'half')
    const list = await store.list()
    assert.deepEqual(
      list.map(({ jobId }) => jobId),
      [IDS[1], IDS[0], IDS[2]]
    )
    assert.equal(list[0]?.path, join(receipts(), `${IDS[1]}.json`))
    assert.equal(list[0]?.receipt.cost, '239')
  })

  it('finds a receipt by the beginning of its job id, or by its path', async () => {
    const store = receiptStore(receipts())
    for (const jobId of IDS) {
      await store.save(storedReceipt({ jobId }))
    }
    assert.equal((await store.get('ff')).path, join(receipts(), `${IDS[2]}.json`))
    assert.equal((await store.get('0102')).path, join(receipts(), `${IDS[1]}.json`))
    const copy = join(folder(), 'sent by a friend.json')
    await copyFile(join(receipts(), `${IDS[2]}.json`), copy)
    assert.equal((await store.get(copy)).path, copy)
    await assert.rejects(store.get('01'), { code: 'RECEIPT_AMBIGUOUS', errorClass: 'usage' })
    for (const missing of ['02', join(folder(), 'nothing.json'), `${IDS[0]}00`, '../receipts', '']) {
      await assert.rejects(store.get(missing), { code: 'RECEIPT_UNKNOWN', errorClass: 'usage' }, missing)
    }
    await assert.rejects(receiptStore(join(folder(), 'empty')).get('01'), { code: 'RECEIPT_UNKNOWN' })
  })

  it('refuses a file that is no receipt', async () => {
    const path = join(folder(), 'other.json')
    await writeFile(path, '{}')
    await assert.rejects(receiptStore(receipts()).get(path), {
      code: 'RECEIPT_FILE_INVALID',
      errorClass: 'attestation'
    })
  })

  it('says when a receipt cannot be saved, and leaves no half of one', async () => {
    await writeFile(receipts(), 'a file where the folder should be')
    await assert.rejects(receiptStore(receipts()).save(storedReceipt()), {
      code: 'RECEIPT_NOT_SAVED',
      errorClass: 'environment'
    })
    await rm(receipts())
    await assert.rejects(receiptStore(receipts()).save({ ...storedReceipt(), receipt: new Uint8Array(3) }), {
      errorClass: 'attestation'
    })
    await assert.rejects(readdir(receipts()), { code: 'ENOENT' })
  })
})
