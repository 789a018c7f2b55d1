/**
 * A scoped log (`cocoon:<area>:<file>`). `error` is for our own bugs only; what a stranger can cause is at
 * most `warn`. Never pass a prompt, an answer, a key or a whole message.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger whose scope is `<this scope>:<name>`. */
  child(name: string): Logger
}

export type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 }

/** Writes one line a record: time, level, scope, message, `key=value`. */
export function lineLogger(scope: string, level: LogLevel, write: (line: string) => void, nowMs: () => number): Logger {
  const at =
    (lineLevel: Exclude<LogLevel, 'silent'>) =>
    (message: string, fields: LogFields = {}): void => {
      if (RANK[lineLevel] < RANK[level]) {
        return
      }
      const tail = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => ` ${key}=${String(value)}`)
        .join('')
      write(`${new Date(nowMs()).toISOString()} ${lineLevel} ${scope} ${message}${tail}\n`)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: name => lineLogger(`${scope}:${name}`, level, write, nowMs)
  }
}

export const silentLogger: Logger = lineLogger(
  '',
  'silent',
  () => undefined,
  () => 0
)
