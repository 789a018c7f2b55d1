import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type { HomeFolder } from '../config/index.ts'
import type { Clock } from '../core/clock.ts'
import { type Logger, type LogLevel, lineLogger } from '../core/logger.ts'

/** The home's log: one file, appended to. A log that cannot be written never stops the node. */
export function openLog(
  home: HomeFolder,
  level: LogLevel,
  clock: Clock
): { logger: Logger; close: () => Promise<void> } {
  const file = createWriteStream(join(home.logsFolder, 'node.log'), { flags: 'a', mode: 0o600 })
  let usable = true
  file.on('error', () => {
    usable = false
  })
  const write = (line: string): void => {
    if (usable) {
      file.write(line)
    }
  }
  return {
    logger: lineLogger('cocoon', level, write, () => clock.nowMs()),
    close: () =>
      new Promise(resolve => {
        if (!usable) {
          resolve()
          return
        }
        file.once('error', () => resolve())
        file.end(() => resolve())
      })
  }
}
