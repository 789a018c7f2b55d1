import { type AbortOptions, throwIfAborted, withTimeLimit } from '../core/abort.ts'
import { errorCode } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { TaskPool } from '../core/task-pool.ts'

/** Channels read at once. */
const PARALLEL_READS = 8

export interface FirstLookOptions extends AbortOptions {
  /**
   * How long a start may take to look at the chain, milliseconds. A public endpoint answers once a second: channels that
   * were not reached by then are looked at when they are used or tended.
   * @default as long as it takes
   */
  lookMs?: number
}

/**
 * Reads channels from the chain after a start, the first ones first. One that cannot be read is logged, and left.
 *
 * @throws {CancelledError} `CANCELLED`
 */
export async function firstLook(
  channels: readonly string[],
  read: (channel: string, options: AbortOptions) => Promise<unknown>,
  logger: Logger,
  { signal, lookMs }: FirstLookOptions
): Promise<void> {
  let left = channels.length
  const look = async (limit: AbortSignal | undefined): Promise<void> => {
    const pool = new TaskPool(PARALLEL_READS)
    const isOver = (): boolean => limit?.aborted === true
    for (const channel of channels) {
      pool.add(async () => {
        if (isOver()) {
          return
        }
        try {
          await read(channel, limit === undefined ? {} : { signal: limit })
          left--
        } catch (err) {
          if (!isOver()) {
            left--
            logger.warn('channel not checked against the chain yet', { channel, code: errorCode(err) })
          }
        }
      })
    }
    await pool.idle()
  }
  await (lookMs === undefined ? look(signal) : withTimeLimit(lookMs, signal, look))
  throwIfAborted(signal)
  if (left > 0) {
    logger.warn('the chain answers slowly: not all channels are checked against it yet', { channels: left })
  }
}

/** Channels in the order in which they are likely to be used again. */
export function latestFirst(records: ReadonlyArray<{ channel: string; lastUsedAtMs: number }>): string[] {
  return records.toSorted((a, b) => b.lastUsedAtMs - a.lastUsedAtMs).map(({ channel }) => channel)
}
