import type { AbortOptions } from '../../core/abort.ts'
import { EnvironmentError, errorCode, UsageError } from '../../core/errors.ts'
import { safeLine } from '../terminal-text.ts'
import { type BatchJob, parseBatchLine } from './batch-line.ts'
import { LineFault } from './line-fault.ts'
import { readTextLines, type TextLine } from './text-lines.ts'

/** A line that cannot run, and why. */
export interface InvalidLine {
  line: number
  customId?: string
  code: 'BATCH_LINE_INVALID' | 'BATCH_ID_DUPLICATE'
  message: string
}

/** What an input file holds. */
export interface BatchPlan {
  /** Ids of the lines that can run, with their line numbers. */
  ids: ReadonlyMap<string, number>
  /** Models that they name. */
  models: ReadonlySet<string>
  invalid: InvalidLine[]
}

/** Longest line of an input file, in bytes. */
const MAX_LINE_BYTES = 4 * 1024 * 1024

/**
 * Reads the whole input once, before anything is asked or paid. Blank lines count but hold nothing.
 *
 * @throws {EnvironmentError} `BATCH_INPUT_UNREADABLE`
 * @throws {UsageError} `BATCH_INPUT_EMPTY`
 */
export async function planBatch(path: string, options: AbortOptions = {}): Promise<BatchPlan> {
  const ids = new Map<string, number>()
  const models = new Set<string>()
  const invalid: InvalidLine[] = []
  for await (const read of readInput(path, options)) {
    if ('fault' in read) {
      invalid.push(read.fault)
      continue
    }
    const { customId, line, body } = read.job
    const first = ids.get(customId)
    if (first === undefined) {
      ids.set(customId, line)
      models.add(body.model)
    } else {
      invalid.push(duplicateId(customId, first, line))
    }
  }
  if (ids.size === 0 && invalid.length === 0) {
    throw new UsageError(
      'BATCH_INPUT_EMPTY',
      `${path} holds no line: expected one JSON object a line, see "cocoon-node submit --help"`
    )
  }
  return { ids, models, invalid }
}

/** The jobs of the input that `isWanted`, read again as they are needed. A file that changes meanwhile only loses lines. */
export async function* readJobs(
  path: string,
  plan: BatchPlan,
  isWanted: (customId: string) => boolean,
  options: AbortOptions = {}
): AsyncGenerator<BatchJob> {
  for await (const read of readInput(path, options)) {
    if ('job' in read && plan.ids.get(read.job.customId) === read.job.line && isWanted(read.job.customId)) {
      yield read.job
    }
  }
}

async function* readInput(
  path: string,
  options: AbortOptions
): AsyncGenerator<{ job: BatchJob } | { fault: InvalidLine }> {
  try {
    for await (const line of readTextLines(path, MAX_LINE_BYTES, options)) {
      const read = readLine(line)
      if (read !== undefined) {
        yield read
      }
    }
  } catch (err) {
    options.signal?.throwIfAborted()
    const reason = errorCode(err)
    if (reason === undefined) {
      throw err
    }
    throw new EnvironmentError(
      'BATCH_INPUT_UNREADABLE',
      `${path} cannot be read (${reason}): name a file with one JSON object a line`,
      {
        cause: err,
        details: { path, reason }
      }
    )
  }
}

function readLine({ number, text, fault }: TextLine): { job: BatchJob } | { fault: InvalidLine } | undefined {
  // Some editors begin a file with a byte order mark.
  const plain = number === 1 ? text?.replace(/^\ufeff/, '') : text
  if (plain?.trim() === '') {
    return undefined
  }
  try {
    if (plain === undefined) {
      throw new LineFault(
        fault === 'too-long' ? `it is longer than ${MAX_LINE_BYTES} bytes` : 'it is not text in UTF-8'
      )
    }
    return { job: parseBatchLine(plain, number) }
  } catch (err) {
    if (err instanceof LineFault) {
      return { fault: invalidLine(number, err) }
    }
    throw err
  }
}

function invalidLine(line: number, { reason, customId }: LineFault): InvalidLine {
  const id = customId === undefined ? '' : ` (${safeLine(customId, 40)})`
  return {
    line,
    ...(customId === undefined ? {} : { customId }),
    code: 'BATCH_LINE_INVALID',
    message: `line ${line}${id}: ${reason}`
  }
}

function duplicateId(customId: string, first: number, line: number): InvalidLine {
  return {
    line,
    customId,
    code: 'BATCH_ID_DUPLICATE',
    message: `line ${line}: its custom_id "${safeLine(customId, 40)}" is that of line ${first} already`
  }
}
