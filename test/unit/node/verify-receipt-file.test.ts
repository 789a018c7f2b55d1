import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { receiptStore, verifyReceiptFile } from '../../../src/node/index.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { storedReceipt } from './stored-receipts.ts'

describe('verification of a receipt file', () => {
  const folder = useTempFolder()
  const verify = (idOrPath: string, allowSimulated = true) =>
    verifyReceiptFile(idOrPath, { receiptsFolder: folder(), allowSimulated })

  it('needs nothing but the file: the peer’s key is in its id', async () => {
    await receiptStore(folder()).save(storedReceipt())
    const path = join(folder(), `${'01'.repeat(16)}.json`)
    for (const name of ['01', path]) {
      const verified = await verify(name)
      assert.equal(verified.path, path)
      assert.equal(verified.receipt.cost, '239')
      assert.equal(verified.enclave.tier, 'simulated')
      assert.equal(verified.voucher, 'signature')
    }
  })

  it('refuses a simulated enclave unless that is allowed', async () => {
    await receiptStore(folder()).save(storedReceipt())
    await assert.rejects(verify('01', false), { code: 'ATTESTATION_TIER_REFUSED' })
  })

  it('refuses a file in which anything was changed', async () => {
    await receiptStore(folder()).save(storedReceipt())
    const path = join(folder(), `${'01'.repeat(16)}.json`)
    const file = await readFile(path, 'utf8')
    const changes: Array<[string, string, string]> = [
      ['"completion_tokens": 64', '"completion_tokens": 63', 'RECEIPT_SIGNATURE_INVALID'],
      [`"sha256:03`, `"sha256:04`, 'RECEIPT_SIGNATURE_INVALID'],
      ['"cumulative": "5000"', '"cumulative": "5"', 'RECEIPT_VOUCHER_MISMATCH'],
      ['"cumulative": "5000"', '"cumulative": "5001"', 'RECEIPT_VOUCHER_SIGNATURE_INVALID'],
      [`"payerKey": "`, `"payerKey": "${'0e'.repeat(32)}", "": "`, 'RECEIPT_FILE_INVALID'],
      ['"salt": "14"', '"salt": "15"', 'RECEIPT_VOUCHER_SIGNATURE_INVALID'],
      ['"bootId": "dd', '"bootId": "de', 'ATTESTATION_REPORT_DATA_MISMATCH'],
      ['"version": "cocoon/stored-receipt/2"', '"version": "cocoon/stored-receipt/1"', 'RECEIPT_FILE_INVALID']
    ]
    for (const [from, to, code] of changes) {
      assert.ok(file.includes(from), from)
      const changed = join(folder(), 'changed.json')
      await writeFile(changed, file.replace(from, to))
      await assert.rejects(verify(changed), { code }, from)
    }
  })

  it('refuses a statement that its peer did not sign', async () => {
    const { peerSignature, ...rest } = storedReceipt()
    await receiptStore(folder()).save({ ...rest, peerSignature: peerSignature.with(0, (peerSignature[0] ?? 0) ^ 1) })
    await assert.rejects(verify('01'), { code: 'ATTESTATION_COSIGNATURE_INVALID' })
  })

  it('refuses a provider that is no peer, and a receipt that is not there', async () => {
    await receiptStore(folder()).save(storedReceipt({ providerPeerId: '1'.repeat(40) }))
    await assert.rejects(verify('01'), { errorClass: 'attestation' })
    await assert.rejects(verify('02'), { code: 'RECEIPT_UNKNOWN' })
  })
})
