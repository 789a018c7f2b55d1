import type { AbortOptions } from '../../core/abort.ts'
import { UsageError } from '../../core/errors.ts'
import { sealingText } from '../sealing.ts'
import { parseResultLine, RESULT_LINE_START } from './result-line.ts'
import { readTextLines, type TextLine } from './text-lines.ts'

/** What an output file already holds, and what must happen to it before more is added. */
export interface ResumePlan {
  /** Ids that need no second run. */
  finished: Set<string>
  /** How the finished answers of this batch travelled, in words, and how many each. */
  sealings: Map<string, number>
  /** Line numbers to keep, if others must go; undefined if all stay. */
  keep: ReadonlySet<number> | undefined
  /** Failed lines that are tried again. */
  retried: number
  /** Offset of a last line that was being written when its process ended; undefined if there is none. */
  tornAt: number | undefined
  /** The last line is whole but for its line feed. */
  unended: boolean
}

const UNTOLD = 'settings that it does not tell'

/** Answers can be long; nothing else is. */
const MAX_LINE_BYTES = 64 * 1024 * 1024

/**
 * Reads what earlier runs wrote to `path`.
 *
 * @param isWanted ids of this batch: only their failed lines are tried again
 * @throws {UsageError} `BATCH_OUTPUT_INVALID` if a line is no result: nobody's other file is ever touched
 */
export async function planResume(
  path: string,
  isWanted: (customId: string) => boolean,
  options: AbortOptions = {}
): Promise<ResumePlan> {
  const plan = {
    finished: new Set<string>(),
    sealings: new Map<string, number>(),
    retried: 0,
    tornAt: undefined as number | undefined,
    unended: false
  }
  const keep = new Set<number>()
  for await (const line of readTextLines(path, MAX_LINE_BYTES, options)) {
    const result = line.text === undefined ? undefined : parseResultLine(line.text)
    if (result === undefined) {
      if (line.terminated || !looksTorn(line)) {
        throw notResults(path, line.number)
      }
      plan.tornAt = line.start
      break
    }
    plan.unended = !line.terminated
    if (result.finished) {
      plan.finished.add(result.customId)
      if (isWanted(result.customId)) {
        const travelled = result.sealing === undefined ? UNTOLD : sealingText(result.sealing)
        plan.sealings.set(travelled, (plan.sealings.get(travelled) ?? 0) + 1)
      }
    } else if (isWanted(result.customId)) {
      plan.retried++
      continue
    }
    keep.add(line.number)
  }
  return { ...plan, keep: plan.retried === 0 ? undefined : keep }
}

// A line cut inside a character is no UTF-8 either.
function looksTorn({ text, fault }: TextLine): boolean {
  return (
    fault === 'not-utf-8' ||
    (text !== undefined && (text.startsWith(RESULT_LINE_START) || RESULT_LINE_START.startsWith(text)))
  )
}

function notResults(path: string, line: number): UsageError {
  return new UsageError(
    'BATCH_OUTPUT_INVALID',
    `${path} holds something else than batch results in line ${line}: name another file with -o`,
    { details: { path, line } }
  )
}
