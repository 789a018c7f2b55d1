import { CocoonError, UsageError } from '../../core/errors.ts'
import { formatTon } from '../../core/nano-ton.ts'
import type { JsonObject } from '../output.ts'
import type { InvalidLine } from './batch-input.ts'
import type { BatchTally } from './run-batch.ts'

/** What a whole run came to. */
export interface BatchReport extends BatchTally {
  output: string
  /** Finished by earlier runs. */
  skipped: number
  invalid: readonly InvalidLine[]
}

const NAMED_LINES = 20

export function reportObject({
  output,
  skipped,
  invalid,
  answered,
  failed,
  completionTokens,
  cost,
  paid
}: BatchReport): JsonObject {
  return {
    output,
    answered,
    skipped,
    failed,
    invalid: invalid.map(line => ({ ...line })),
    completionTokens,
    costNano: cost,
    paidNano: paid
  }
}

export function renderReport({
  output,
  skipped,
  invalid,
  answered,
  failed,
  completionTokens,
  cost
}: BatchReport): string {
  const parts = [
    `${answered} answered`,
    ...(skipped === 0 ? [] : [`${skipped} were there already`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(invalid.length === 0 ? [] : [`${invalid.length} line(s) could not run`])
  ]
  return `${parts.join(', ')}: ${completionTokens} tokens for ${formatTon(cost)}; see ${output}`
}

/** Why a run that came to its end was no full success; undefined if it was. */
export function reportError({ output, invalid, failed }: BatchReport): CocoonError | undefined {
  const again = 'run the same command again to try only what is missing'
  if (invalid.length > 0) {
    const named = invalid.slice(0, NAMED_LINES).map(({ line }) => line)
    const more = invalid.length > NAMED_LINES ? ` and ${invalid.length - NAMED_LINES} more` : ''
    const alsoFailed = failed === 0 ? '' : `; ${failed} job(s) failed`
    return new UsageError(
      'BATCH_LINES_INVALID',
      `Line ${named.join(', ')}${more} could not run${alsoFailed}: mend it, then ${again}`,
      {
        details: { invalid: invalid.length, failed }
      }
    )
  }
  if (failed > 0) {
    return new CocoonError('peer', 'BATCH_JOBS_FAILED', `${failed} job(s) failed, ${output} says why: ${again}`, {
      details: { failed }
    })
  }
  return undefined
}
