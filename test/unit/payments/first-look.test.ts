import assert from 'node:assert/strict'
import { MoneyError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { firstLook, latestFirst } from '../../../src/payments/first-look.ts'

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `channel ${n}`)

/** Never answers; ends with its signal. */
const silence = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
  })

describe('first look at the chain', () => {
  it('reads every channel, eight at once, the latest used first', async () => {
    const channels = latestFirst(names(40).map((channel, lastUsedAtMs) => ({ channel, lastUsedAtMs })))
    const seen: string[] = []
    let running = 0
    let most = 0
    const read = async (channel: string): Promise<void> => {
      most = Math.max(most, ++running)
      seen.push(channel)
      await new Promise(setImmediate)
      running--
    }
    await firstLook(channels, read, silentLogger, {})
    assert.deepEqual(seen, names(40).toReversed())
    assert.equal(most, 8)
  })

  it('goes on past channels that cannot be read', async () => {
    const seen: string[] = []
    const read = async (channel: string): Promise<void> => {
      seen.push(channel)
      throw new MoneyError('CHANNEL_FOREIGN', 'Not a channel')
    }
    await firstLook(names(20), read, silentLogger, {})
    assert.equal(seen.length, 20)
  })

  it('ends when its time is over, and begins no further read', async () => {
    let begun = 0
    const read = (_: string, { signal }: { signal?: AbortSignal }): Promise<never> => {
      begun++
      return silence(signal)
    }
    await firstLook(names(100), read, silentLogger, { lookMs: 20 })
    assert.equal(begun, 8)
  })

  it('is cancelled with the start', async () => {
    const stop = new AbortController()
    const look = firstLook(names(3), (_, { signal }) => silence(signal), silentLogger, { signal: stop.signal })
    stop.abort()
    await assert.rejects(look, { code: 'CANCELLED' })
  })
})
