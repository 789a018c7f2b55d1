import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import type { KillPoints } from './kill-points.ts'
import { stepName } from './step-names.ts'

interface RawOperation {
  type: 'put' | 'del'
  key: string
  value?: string
}

type Batch = (this: ClassicLevel, operations: RawOperation[], options: object) => Promise<void>

/** Puts kill points around every batch that this process writes to a database, below the node's own code. */
export function watchWrites(points: KillPoints): void {
  const write = Reflect.get(AbstractLevel.prototype, 'batch') as unknown as Batch
  const watched: Batch = async function (operations, options) {
    const step = stepName(
      operations.map(({ type, key, value }) => ({
        key,
        before: this.getSync(key),
        after: type === 'put' ? value : undefined
      }))
    )
    points.reach(step, 'before')
    const torn = points.due(step, 'torn')
    const size = torn ? statSync(logOf(this)).size : 0
    await write.call(this, operations, options)
    if (torn) {
      tear(logOf(this), size)
      points.die(step, 'torn')
    }
    points.reach(step, 'after')
  }
  Object.assign(ClassicLevel.prototype, { batch: watched })
}

/** What a power cut leaves of a write that nobody was told of: some of its bytes. */
function tear(log: string, size: number): void {
  const written = statSync(log).size - size
  truncateSync(log, size + Math.floor(Math.random() * written))
}

/** The log that a database appends to. */
function logOf({ location }: ClassicLevel): string {
  const logs = readdirSync(location).filter(name => name.endsWith('.log'))
  return join(location, logs.toSorted().at(-1) ?? '')
}
