import assert from 'node:assert/strict'
import { appraiseSnpReport } from '../../../../src/attest/snp/appraise.ts'
import type { SnpEndorsement } from '../../../../src/attest/snp/endorsement.ts'
import { DEFAULT_SNP_POLICY, type SnpPolicy } from '../../../../src/attest/snp/policy.ts'
import { productOfCpuid, type SnpProduct } from '../../../../src/attest/snp/product.ts'
import { parseSnpReport } from '../../../../src/attest/snp/report.ts'
import { ANY_TCB } from '../../../../src/attest/snp/tcb.ts'
import { blankReport, repeated } from './blank-report.ts'

const CHIP = [1, 2, 3, 4, 5, 6, 7, 8]
const TURIN_TCB = [1, 2, 3, 4, 0, 0, 0, 9]
const GENOA_TCB = [2, 3, 0, 0, 0, 0, 4, 9]
const TURIN: SnpEndorsement = {
  tcb: { fmc: 1, bootLoader: 2, tee: 3, snp: 4, microcode: 9 },
  chipId: Uint8Array.from({ length: 64 }, (_, i) => CHIP[i] ?? 0),
  cloudId: undefined
}
const GENOA: SnpEndorsement = { ...TURIN, tcb: { ...TURIN.tcb, fmc: 0 } }

type Bytes = Readonly<Record<number, readonly number[]>>

function turin(given: Bytes = {}): Uint8Array {
  const tcbs = { 0x38: TURIN_TCB, 0x180: TURIN_TCB, 0x1e0: TURIN_TCB, 0x1f0: TURIN_TCB }
  return blankReport({ 0: [5], 0x188: [0x1a, 0x02, 0x01], 0x1a0: CHIP, ...tcbs, ...given })
}

function appraise(
  report: Uint8Array,
  policy: Partial<SnpPolicy> = {},
  endorsement: SnpEndorsement = TURIN,
  product: SnpProduct = 'turin'
): unknown {
  return appraiseSnpReport(parseSnpReport(report), product, endorsement, { ...DEFAULT_SNP_POLICY, ...policy })
}

function refuses(code: string, ...args: Parameters<typeof appraise>): void {
  assert.throws(() => appraise(...args), { code })
}

describe('the meaning of SEV-SNP reports', () => {
  it('accepts a Turin, whose TCB has another layout', () => {
    const tcbs = appraise(turin())
    assert.deepEqual(tcbs, { reported: TURIN.tcb, committed: TURIN.tcb, current: TURIN.tcb, launch: TURIN.tcb })
  })

  it('accepts a Genoa of version 2, which says nothing of its processor', () => {
    const tcbs = { 0x38: GENOA_TCB, 0x180: GENOA_TCB, 0x1e0: GENOA_TCB, 0x1f0: GENOA_TCB }
    appraise(blankReport({ 0x1a0: CHIP, ...tcbs }), {}, GENOA, 'genoa')
  })

  it('refuses a processor that is not of the product', () => {
    refuses('ATTESTATION_SNP_PRODUCT_MISMATCH', turin({ 0x188: [0x19, 0x11, 0] }))
    refuses('ATTESTATION_SNP_PRODUCT_MISMATCH', turin({ 0x188: [0x1a, 0x20, 0] }))
    refuses('ATTESTATION_SNP_PRODUCT_MISMATCH', turin({ 0x188: [0x1b, 0x02, 0] }))
  })

  it('tells processors apart by family and model', () => {
    const product = (family: number, model: number) => productOfCpuid({ family, model, stepping: 0 })
    assert.deepEqual([product(0x19, 0x01), product(0x19, 0x0f)], ['milan', 'milan'])
    assert.deepEqual([product(0x19, 0x10), product(0x19, 0x1f)], ['genoa', 'genoa'])
    assert.deepEqual([product(0x19, 0xa0), product(0x19, 0xaf)], ['genoa', 'genoa'])
    assert.deepEqual([product(0x1a, 0x02), product(0x1a, 0x11)], ['turin', 'turin'])
    for (const [family, model] of [
      [0x19, 0x20],
      [0x19, 0x9f],
      [0x19, 0xb0],
      [0x1a, 0x20],
      [0x17, 0x31],
      [0, 0]
    ] as const) {
      assert.equal(product(family, model), undefined)
    }
  })

  it('refuses another TCB than the key is for, higher or lower', () => {
    for (const [index, byte] of TURIN_TCB.entries()) {
      const other = TURIN_TCB.with(index, byte + 1)
      const code = index > 3 && index < 7 ? 'ATTESTATION_SNP_RESERVED' : 'ATTESTATION_SNP_TCB_MISMATCH'
      refuses(code, turin({ 0x38: other, 0x180: other, 0x1e0: other }))
    }
    for (const index of [0, 1, 2, 3, 7]) {
      refuses('ATTESTATION_SNP_TCB_MISMATCH', turin({ 0x180: TURIN_TCB.with(index, 0) }))
    }
  })

  it('refuses reserved bytes in each TCB', () => {
    for (const offset of [0x38, 0x180, 0x1e0, 0x1f0]) {
      refuses('ATTESTATION_SNP_RESERVED', turin({ [offset + 4]: [1] }))
    }
  })

  it('refuses a TCB that is reported above what is committed, or committed above what runs', () => {
    refuses('ATTESTATION_SNP_TCB_INVALID', turin({ 0x1e0: TURIN_TCB.with(3, 3) }))
    refuses('ATTESTATION_SNP_TCB_INVALID', turin({ 0x38: TURIN_TCB.with(7, 8) }))
    appraise(turin({ 0x1e0: TURIN_TCB.with(3, 5), 0x38: TURIN_TCB.with(3, 6) }))
  })

  it('refuses another chip than the key is for, or a masked one', () => {
    refuses('ATTESTATION_SNP_CHIP_MISMATCH', turin({ 0x1a7: [9] }))
    refuses('ATTESTATION_SNP_CHIP_MISMATCH', turin({ 0x1df: [1] }))
    refuses('ATTESTATION_SNP_CHIP_MISMATCH', turin({ 0x1a0: repeated(0, 8) }))
  })

  it('leaves the chip open where the key is a cloud’s', () => {
    appraise(turin({ 0x1a0: repeated(0, 8) }), {}, { ...TURIN, chipId: undefined, cloudId: 'CN=cloud' })
  })

  it('refuses a product that is not named', () => {
    refuses('ATTESTATION_SNP_PRODUCT_REFUSED', turin(), { minimumTcb: {} })
    refuses('ATTESTATION_SNP_PRODUCT_REFUSED', turin(), { minimumTcb: { genoa: ANY_TCB, milan: ANY_TCB } })
  })

  it('refuses debugging under any policy', () => {
    const all: Partial<SnpPolicy> = { allowSmt: true, allowMigrationAgent: true, allowCxl: true, vmpls: [0, 1, 2, 3] }
    refuses('ATTESTATION_SNP_DEBUG', turin({ 0x0a: [0x0a] }), all)
  })

  it('asks for levels, ABI, SMT, migration and CXL as the policy says', () => {
    refuses('ATTESTATION_SNP_VMPL_REFUSED', turin({ 0x30: [2] }))
    refuses('ATTESTATION_SNP_VMPL_REFUSED', turin({ 0x30: [0xff, 0xff, 0xff, 0xff] }), { vmpls: [0, 1, 2, 3] })
    appraise(turin({ 0x30: [2] }), { vmpls: [0, 2] })

    refuses('ATTESTATION_SNP_ABI_REFUSED', turin({ 8: [0x36, 1] }), { minimumAbi: [1, 0x37] })
    refuses('ATTESTATION_SNP_ABI_REFUSED', turin({ 8: [0xff, 0] }), { minimumAbi: [1, 0] })
    refuses('ATTESTATION_SNP_ABI_REFUSED', turin({ 8: [0xff, 1] }), { minimumAbi: [Number.NaN, 0] })
    appraise(turin({ 8: [0x00, 2] }), { minimumAbi: [1, 0x37] })
    appraise(turin({ 8: [0x37, 1] }), { minimumAbi: [1, 0x37] })

    refuses('ATTESTATION_SNP_SMT_REFUSED', turin({ 0x0a: [3] }), { allowSmt: false })
    appraise(turin({ 0x0a: [3] }))
    appraise(turin(), { allowSmt: false })

    refuses('ATTESTATION_SNP_MIGRATION_REFUSED', turin({ 0x0a: [6] }))
    refuses('ATTESTATION_SNP_MIGRATION_REFUSED', turin({ 0x160: [1] }))
    appraise(turin({ 0x0a: [6], 0x160: [1] }), { allowMigrationAgent: true })

    refuses('ATTESTATION_SNP_CXL_REFUSED', turin({ 0x0a: [0x22] }))
    appraise(turin({ 0x0a: [0x22] }), { allowCxl: true })
  })

  it('asks of the platform what the policy requires', () => {
    const required = { requiredPlatform: ['aliasCheckComplete', 'ciphertextHiding'] } as const
    refuses('ATTESTATION_SNP_PLATFORM_REFUSED', turin(), required)
    refuses('ATTESTATION_SNP_PLATFORM_REFUSED', turin({ 0x40: [0x20] }), required)
    appraise(turin({ 0x40: [0x30] }), required)
  })

  it('holds the TCB at launch and now against the minimum', () => {
    const minimumTcb = { turin: { ...TURIN.tcb, snp: 4 } }
    appraise(turin(), { minimumTcb })
    refuses('ATTESTATION_SNP_TCB_TOO_OLD', turin({ 0x1f0: TURIN_TCB.with(3, 3) }), { minimumTcb })
    const reportsLess = turin({ 0x180: TURIN_TCB.with(3, 3) })
    const less = { ...TURIN, tcb: { ...TURIN.tcb, snp: 3 } }
    appraise(reportsLess, {}, less)
    refuses('ATTESTATION_SNP_TCB_TOO_OLD', reportsLess, { minimumTcb }, less)
  })
})
