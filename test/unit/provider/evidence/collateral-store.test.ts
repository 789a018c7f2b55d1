import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TdxCollateral } from '../../../../src/attest/tdx/collateral.ts'
import { EnvironmentError, NetworkError } from '../../../../src/core/errors.ts'
import { lineLogger } from '../../../../src/core/logger.ts'
import { CollateralStore } from '../../../../src/provider/evidence/collateral-store.ts'
import { type CheckedCollateral, IntelService } from '../../../../src/provider/evidence/intel-collateral.ts'
import { TEST_FMSPC, testTdxPlatform } from '../../../support/tdx-platform.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'

const NOW_MS = Date.UTC(2026, 5, 15)
const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS
const SUBJECT = { fmspc: TEST_FMSPC, ca: 'platform' } as const
const FILE = `tdx-${TEST_FMSPC}-platform.json`

describe('the store of collateral', () => {
  const folder = useTempFolder()
  const platform = testTdxPlatform(NOW_MS)
  const checks = new IntelService({ rootSha256: platform.rootSha256 })
  let nowMs: number
  let fetches: number
  let lines: string[]
  /** What the service does now. */
  let serve: () => TdxCollateral

  beforeEach(() => {
    nowMs = NOW_MS
    fetches = 0
    lines = []
    serve = () => platform.collateral
  })

  const store = (init: { maxAgeMs?: number } = {}): CollateralStore =>
    new CollateralStore(
      {
        logger: lineLogger(
          'test',
          'info',
          line => lines.push(line),
          () => nowMs
        ),
        clock: { nowMs: () => nowMs },
        service: {
          fetch: async (subject, atMs): Promise<CheckedCollateral> => {
            fetches++
            await new Promise(resolve => setImmediate(resolve))
            return checks.check(serve(), subject, atMs)
          },
          check: (collateral, subject, atMs) => checks.check(collateral, subject, atMs)
        }
      },
      { folder: join(folder(), 'kept'), ...init }
    )

  const down = (): never => {
    throw new NetworkError('COLLATERAL_UNREACHABLE', 'down')
  }

  it('asks once for all that wait, then never for a day, also after a restart', async () => {
    const first = store()
    const all = await Promise.all([1, 2, 3].map(() => first.collateral(SUBJECT)))
    assert.ok(all.every(collateral => collateral === all[0]))
    nowMs += DAY_MS - 1
    await first.collateral(SUBJECT)
    assert.deepEqual(await store().collateral(SUBJECT), platform.collateral)
    assert.equal(fetches, 1)
    assert.deepEqual(await readdir(join(folder(), 'kept')), [FILE])
  })

  it('asks again after a day, and gives what is new', async () => {
    const kept = store()
    await kept.collateral(SUBJECT)
    nowMs += DAY_MS
    const renewed = platform.collateralAt(nowMs)
    serve = () => renewed
    assert.deepEqual(await kept.collateral(SUBJECT), renewed)
    assert.deepEqual(await store().collateral(SUBJECT), renewed)
    assert.equal(fetches, 2)
  })

  it('asks before the first part ends, however young it is, and not on every call', async () => {
    const kept = store({ maxAgeMs: 365 * DAY_MS })
    await kept.collateral(SUBJECT)
    nowMs = NOW_MS + 29 * DAY_MS - 7 * HOUR_MS
    await kept.collateral(SUBJECT)
    assert.equal(fetches, 1)
    nowMs += 2 * HOUR_MS
    await kept.collateral(SUBJECT)
    await kept.collateral(SUBJECT)
    assert.equal(fetches, 2)
    nowMs += 6 * 60_000
    await kept.collateral(SUBJECT)
    assert.equal(fetches, 3)
  })

  it('serves an old copy with a warning while the service is down, until that copy ends', async () => {
    const kept = store()
    await kept.collateral(SUBJECT)
    serve = down
    nowMs += 2 * DAY_MS
    assert.deepEqual(await kept.collateral(SUBJECT), platform.collateral)
    assert.deepEqual(await kept.collateral(SUBJECT), platform.collateral)
    assert.equal(fetches, 2, 'a service that is down is left alone for a while')
    assert.equal(lines.filter(line => line.includes('still in force')).length, 1)
    assert.ok(lines.some(line => line.includes('COLLATERAL_UNREACHABLE')))
    nowMs = NOW_MS + 29 * DAY_MS
    await assert.rejects(kept.collateral(SUBJECT), { code: 'COLLATERAL_UNREACHABLE' })
    await assert.rejects(store().collateral(SUBJECT), { code: 'COLLATERAL_UNREACHABLE' })
  })

  it('does not ask a service again at once that failed, even with nothing at hand', async () => {
    const kept = store()
    serve = () => {
      throw new EnvironmentError('COLLATERAL_PLATFORM_UNKNOWN', 'unknown')
    }
    await assert.rejects(kept.collateral(SUBJECT), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
    await assert.rejects(kept.collateral(SUBJECT), { code: 'COLLATERAL_PLATFORM_UNKNOWN' })
    assert.equal(fetches, 1)
    nowMs += 6 * 60_000
    serve = () => platform.collateral
    await kept.collateral(SUBJECT)
  })

  it('never serves a file that was changed, cut, or is about another platform', async () => {
    await store().collateral(SUBJECT)
    const path = join(folder(), 'kept', FILE)
    const good = await readFile(path, 'utf8')
    const otherRoot = testTdxPlatform(NOW_MS).collateral
    const damaged = [
      '',
      good.slice(0, -10),
      good.replace('UpToDate', 'Revoked!'),
      good.replace(platform.collateral.tcb_info_signature, otherRoot.tcb_info_signature),
      good.replace(/"fetchedAtMs":\d+/, '"fetchedAtMs":-1'),
      `${good}\n`
    ]
    for (const content of damaged) {
      await writeFile(path, content)
      fetches = 0
      lines = []
      assert.deepEqual(await store().collateral(SUBJECT), platform.collateral)
      assert.equal(fetches, 1)
      assert.ok(lines.some(line => line.includes('cannot be used')))
      await writeFile(path, content)
      serve = down
      await assert.rejects(store().collateral(SUBJECT), { code: 'COLLATERAL_UNREACHABLE' })
      serve = () => platform.collateral
    }
    await writeFile(join(folder(), 'kept', 'tdx-00906ed50000-platform.json'), good)
    serve = down
    await assert.rejects(store().collateral({ fmspc: '00906ed50000', ca: 'platform' }), {
      code: 'COLLATERAL_UNREACHABLE'
    })
  })

  it('serves from memory with a warning where the folder cannot be written', async () => {
    await writeFile(join(folder(), 'kept'), 'a file where the folder should be')
    assert.deepEqual(await store().collateral(SUBJECT), platform.collateral)
    assert.ok(lines.some(line => line.includes('could not be kept')))
  })

  it('asks again when the clock was set back behind the last time', async () => {
    const kept = store()
    nowMs += HOUR_MS
    await kept.collateral(SUBJECT)
    nowMs -= 2 * HOUR_MS
    await kept.collateral(SUBJECT)
    assert.equal(fetches, 2)
  })

  it('lets one that waits leave without ending the work of the others', async () => {
    const kept = store()
    const controller = new AbortController()
    const leaving = kept.collateral(SUBJECT, { signal: controller.signal })
    const staying = kept.collateral(SUBJECT)
    controller.abort()
    await assert.rejects(leaving, { code: 'CANCELLED' })
    assert.deepEqual(await staying, platform.collateral)
    assert.equal(fetches, 1)
  })
})
