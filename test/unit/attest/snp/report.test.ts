import assert from 'node:assert/strict'
import { parseSnpReport } from '../../../../src/attest/snp/report.ts'
import { blankReport, repeated } from './blank-report.ts'

function refuses(report: Uint8Array, code: string): void {
  assert.throws(() => parseSnpReport(report), { code })
}

describe('the layout of SEV-SNP reports', () => {
  it('reads versions 2 to 5, and CPUID since 3', () => {
    for (const version of [2, 3, 4, 5]) {
      const report = parseSnpReport(blankReport({ 0: [version] }))
      assert.equal(report.version, version)
      assert.equal(report.cpuid === undefined, version === 2)
    }
    const { cpuid } = parseSnpReport(blankReport({ 0: [3], 0x188: [0x1a, 0x02, 0x01] }))
    assert.deepEqual(cpuid, { family: 0x1a, model: 0x02, stepping: 0x01 })
    refuses(blankReport({ 0: [2], 0x188: [0x19] }), 'ATTESTATION_SNP_RESERVED')
  })

  it('refuses other versions', () => {
    for (const version of [[0], [1], [6], [2, 0, 0, 1]]) {
      refuses(blankReport({ 0: version }), 'ATTESTATION_SNP_VERSION')
    }
  })

  it('refuses other sizes', () => {
    for (const length of [0, 1, 1183, 1185, 4096]) {
      refuses(new Uint8Array(length), 'ATTESTATION_SNP_SIZE')
    }
  })

  it('refuses other algorithms', () => {
    refuses(blankReport({ 0x34: [0] }), 'ATTESTATION_SNP_ALGORITHM')
    refuses(blankReport({ 0x34: [2] }), 'ATTESTATION_SNP_ALGORITHM')
  })

  it('lets the mitigation vectors be, where there are any', () => {
    const vectors = { 0x1f8: repeated(0xff, 16) }
    parseSnpReport(blankReport({ 0: [5], ...vectors }))
    parseSnpReport(blankReport({ 0: [4], ...vectors }))
    refuses(blankReport({ 0: [3], ...vectors }), 'ATTESTATION_SNP_RESERVED')
    refuses(blankReport({ 0: [2], ...vectors }), 'ATTESTATION_SNP_RESERVED')
  })

  it('refuses every reserved byte that is set', () => {
    const always = [
      [0x4c, 0x50],
      [0x18b, 0x1a0],
      [0x1eb, 0x1ec],
      [0x1ef, 0x1f0],
      [0x208, 0x2a0]
    ]
    const signature = [
      [0x2d0, 0x2e8],
      [0x318, 0x330],
      [0x330, 0x4a0]
    ]
    for (const version of [2, 3, 4, 5]) {
      const set = new Set<number>()
      for (let offset = 0; offset < 0x4a0; offset++) {
        try {
          const report = blankReport({ 0: [version] })
          report[offset] = (report[offset] ?? 0) ^ 0x80
          parseSnpReport(report)
        } catch (err) {
          if ((err as { code?: string }).code === 'ATTESTATION_SNP_RESERVED') {
            set.add(offset)
          }
        }
      }
      const ranges = [
        ...always,
        ...signature,
        ...(version < 4 ? [[0x1f8, 0x208]] : []),
        ...(version < 3 ? [[0x188, 0x18b]] : [])
      ]
      // Bit 7 of the key information; the author key's digest where there is no such key.
      const expected = new Set([0x48, 0x49, 0x4a, 0x4b, ...range([0x110, 0x140]), ...ranges.flatMap(range)])
      assert.deepEqual([...set].sort(byNumber), [...expected].sort(byNumber), `version ${version}`)
    }
  })

  it('tells who signed, and refuses a report that nobody did', () => {
    assert.equal(parseSnpReport(blankReport({ 0x48: [0] })).signer, 'vcek')
    assert.equal(parseSnpReport(blankReport({ 0x48: [4] })).signer, 'vlek')
    for (const number of [2, 3, 4, 5, 6, 7]) {
      refuses(blankReport({ 0x48: [number << 2] }), 'ATTESTATION_SNP_SIGNER')
    }
    // The chip's key is masked: firmware writes zeros for a signature.
    refuses(blankReport({ 0x48: [2] }), 'ATTESTATION_SNP_SIGNER')
  })

  it('reads the digest of an author key only where there is one', () => {
    assert.equal(parseSnpReport(blankReport({ 0x48: [1], 0x110: [7] })).authorKeyDigest[0], 7)
    refuses(blankReport({ 0x48: [0], 0x110: [7] }), 'ATTESTATION_SNP_RESERVED')
  })

  it('refuses a guest policy that it does not understand', () => {
    refuses(blankReport({ 8: [0, 0, 0] }), 'ATTESTATION_SNP_POLICY_INVALID')
    for (let bit = 26; bit < 64; bit++) {
      refuses(blankReport({ [8 + (bit >> 3)]: [1 << (bit & 7)] }), 'ATTESTATION_SNP_POLICY_INVALID')
    }
  })

  it('reads every bit of the guest policy', () => {
    const { policy } = parseSnpReport(blankReport({ 8: [0x1f, 0x01, 0xff, 0x03] }))
    assert.equal(policy.abiMajor, 1)
    assert.equal(policy.abiMinor, 0x1f)
    const flags = Object.entries(policy).filter(([, value]) => typeof value === 'boolean')
    assert.equal(flags.length, 9)
    for (const [index, bit] of [16, 18, 19, 20, 21, 22, 23, 24, 25].entries()) {
      const bytes = [0, 0, 2, 0]
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7))
      const alone = parseSnpReport(blankReport({ 8: bytes })).policy
      const set = Object.entries(alone).flatMap(([name, value]) => (value === true ? [name] : []))
      assert.deepEqual(set, [flags[index]?.[0]])
    }
  })

  it('refuses bits of the platform that it does not know', () => {
    for (let bit = 0; bit < 64; bit++) {
      const report = blankReport({ [0x40 + (bit >> 3)]: [1 << (bit & 7)] })
      if (bit < 6 || bit === 7) {
        assert.equal(parseSnpReport(report).platform.size, 1)
      } else {
        refuses(report, 'ATTESTATION_SNP_PLATFORM_UNKNOWN')
      }
    }
  })

  it('knows a migration agent by its report id', () => {
    assert.equal(parseSnpReport(blankReport({})).hasMigrationAgent, false)
    assert.equal(parseSnpReport(blankReport({ 0x160: repeated(0xff, 32) })).hasMigrationAgent, false)
    assert.equal(parseSnpReport(blankReport({ 0x160: [1] })).hasMigrationAgent, true)
  })

  it('turns the signature round', () => {
    const { signature } = parseSnpReport(blankReport({ 0x2a0: [1, 2], 0x2e8: [3, 4] }))
    assert.equal(signature.length, 96)
    assert.deepEqual([...signature.subarray(46, 48), ...signature.subarray(94)], [2, 1, 4, 3])
  })
})

function range([from = 0, to = 0]: number[]): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

function byNumber(a: number, b: number): number {
  return a - b
}
