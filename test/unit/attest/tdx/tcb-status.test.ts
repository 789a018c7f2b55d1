import assert from 'node:assert/strict'
import {
  convergeStatus,
  expectStatus,
  readTcbStatus,
  TCB_STATUSES,
  type TcbStatus
} from '../../../../src/attest/tdx/tcb-status.ts'

describe('TCB statuses', () => {
  it('are refused with a code each, unless the policy accepts them', () => {
    const codes = new Set<string>()
    for (const status of TCB_STATUSES) {
      assert.throws(
        () => expectStatus(status, []),
        (err: { code: string }) => codes.add(err.code) !== undefined
      )
      if (status !== 'Revoked') {
        expectStatus(status, [status])
      }
    }
    assert.equal(codes.size, TCB_STATUSES.length)
    assert.throws(() => expectStatus('Revoked', ['Revoked']), { code: 'ATTESTATION_TCB_REVOKED' })
  })

  it('that nobody knows are refused, whatever their letters', () => {
    for (const text of ['', 'uptodate', 'UpToDate ', 'toString']) {
      assert.throws(() => readTcbStatus(text), { code: 'ATTESTATION_TCB_STATUS_UNKNOWN' })
    }
  })

  /** Intel's DCAP quote verification library, `convergeTcbStatus`: rows are the platform's, columns the part's. */
  const CONVERGED: Readonly<Record<TcbStatus, Readonly<Partial<Record<TcbStatus, TcbStatus>>>>> = {
    UpToDate: { UpToDate: 'UpToDate', OutOfDate: 'OutOfDate', Revoked: 'Revoked' },
    SWHardeningNeeded: { UpToDate: 'SWHardeningNeeded', OutOfDate: 'OutOfDate', Revoked: 'Revoked' },
    ConfigurationNeeded: {
      UpToDate: 'ConfigurationNeeded',
      OutOfDate: 'OutOfDateConfigurationNeeded',
      Revoked: 'Revoked'
    },
    ConfigurationAndSWHardeningNeeded: {
      UpToDate: 'ConfigurationAndSWHardeningNeeded',
      OutOfDate: 'OutOfDateConfigurationNeeded',
      Revoked: 'Revoked'
    },
    OutOfDate: { UpToDate: 'OutOfDate', OutOfDate: 'OutOfDate', Revoked: 'Revoked' },
    OutOfDateConfigurationNeeded: {
      UpToDate: 'OutOfDateConfigurationNeeded',
      OutOfDate: 'OutOfDateConfigurationNeeded',
      Revoked: 'Revoked'
    },
    Revoked: { UpToDate: 'Revoked', OutOfDate: 'Revoked', Revoked: 'Revoked' }
  }

  it('of a platform and a part of it are taken together as Intel does', () => {
    for (const platform of TCB_STATUSES) {
      for (const [part, expected] of Object.entries(CONVERGED[platform])) {
        assert.equal(convergeStatus(platform, readTcbStatus(part)), expected, `${platform} with ${part}`)
      }
    }
  })

  it('never get better by taking a part in', () => {
    const rank = (status: TcbStatus): number => TCB_STATUSES.indexOf(status)
    for (const platform of TCB_STATUSES) {
      for (const part of TCB_STATUSES) {
        assert.ok(rank(convergeStatus(platform, part)) >= Math.max(rank(platform), rank(part)), `${platform} ${part}`)
      }
    }
  })
})
