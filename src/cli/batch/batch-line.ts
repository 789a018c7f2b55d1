import { safeLine } from '../terminal-text.ts'
import { type ChatBody, readChatBody } from './chat-body.ts'
import { isRecord, LineFault } from './line-fault.ts'

/** A line of the input that can run. */
export interface BatchJob {
  /** Line number, from 1. */
  line: number
  customId: string
  body: ChatBody
}

const URL_PATH = '/v1/chat/completions'
const MAX_ID_LENGTH = 512

/**
 * Reads one line of an OpenAI batch: `{custom_id, method: "POST", url: "/v1/chat/completions", body}`.
 *
 * @throws {LineFault} in words that quote nothing of the messages
 */
export function parseBatchLine(text: string, line: number): BatchJob {
  const value = parseJson(text)
  if (!isRecord(value)) {
    throw new LineFault('it is not a JSON object')
  }
  const { custom_id: customId, method, url, body, ...rest } = value
  if (typeof customId !== 'string' || customId === '' || customId.length > MAX_ID_LENGTH) {
    throw new LineFault(`custom_id must be a text of 1 to ${MAX_ID_LENGTH} characters`)
  }
  return { line, customId, body: withId(customId, () => readRequest({ method, url, body }, Object.keys(rest))) }
}

function readRequest(request: { method: unknown; url: unknown; body: unknown }, unknown: readonly string[]): ChatBody {
  if (unknown[0] !== undefined) {
    throw new LineFault(
      `"${safeLine(unknown[0], 40)}" is not a field of a batch line: expected custom_id, method, url, body`
    )
  }
  if (request.method !== 'POST') {
    throw new LineFault('method must be "POST"')
  }
  if (request.url !== URL_PATH) {
    throw new LineFault(`url must be "${URL_PATH}"`)
  }
  return readChatBody(request.body)
}

/** A fault of a line whose id is known names it. */
function withId<T>(customId: string, read: () => T): T {
  try {
    return read()
  } catch (err) {
    throw err instanceof LineFault ? new LineFault(err.reason, customId) : err
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the line, which may be a private question.
    throw new LineFault('it is not valid JSON')
  }
}
