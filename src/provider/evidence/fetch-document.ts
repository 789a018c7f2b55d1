import { type AbortOptions, throwIfAborted, withTimeLimit } from '../../core/abort.ts'
import { errorCode, errorMessage, NetworkError } from '../../core/errors.ts'

/** Longest that one request may take, in milliseconds. */
const TIME_LIMIT_MS = 15_000

export interface FetchDocumentInit {
  readonly fetch: typeof fetch
  /** For messages: `Intel's TCB info`. */
  readonly what: string
  readonly maxBytes: number
  /** @default 15_000 */
  readonly timeLimitMs?: number
}

/** What a vendor's service answered with status 200; nothing of it is judged. */
export interface FetchedDocument {
  readonly bytes: Uint8Array
  readonly headers: Headers
}

/** A vendor's service does not know what it was asked for; the asker says what that means. */
export class DocumentUnknown extends Error {}

/** Statuses that say so: HTTP's, and that of a PCCS whose cache lacks the platform. */
const UNKNOWN_STATUSES: readonly number[] = [404, 461]

/**
 * Gets one document of a vendor's. A redirect is refused: everything here has one address, and what is asked for names
 * the machine.
 *
 * @throws {DocumentUnknown} for a status that says that there is no such document
 * @throws {NetworkError} `COLLATERAL_UNREACHABLE`, `COLLATERAL_ANSWER_INVALID` if it is larger than `maxBytes`
 * @throws {CancelledError} `CANCELLED`
 */
export async function fetchDocument(
  url: string,
  init: FetchDocumentInit,
  options: AbortOptions = {}
): Promise<FetchedDocument> {
  const { what, maxBytes, timeLimitMs = TIME_LIMIT_MS } = init
  const { signal } = options
  const host = URL.canParse(url) ? new URL(url).host : url
  throwIfAborted(signal)
  try {
    return await withTimeLimit(timeLimitMs, signal, async limit => {
      const response = await init.fetch(url, { redirect: 'manual', signal: limit })
      if (response.status !== 200) {
        await response.body?.cancel()
        throw UNKNOWN_STATUSES.includes(response.status)
          ? new DocumentUnknown(`${host} does not know ${what} (status ${response.status})`)
          : unreachable(`${host} answers with status ${response.status}${hint(response.status)}`, what)
      }
      return { bytes: await readBody(response, maxBytes, `${what} of ${host}`), headers: response.headers }
    })
  } catch (cause) {
    throwIfAborted(signal)
    if (cause instanceof DocumentUnknown || cause instanceof NetworkError) {
      throw cause
    }
    throw unreachable(`${host} does not answer (${whyNot(cause)})`, what, cause)
  }
}

async function readBody(response: Response, maxBytes: number, what: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let sizeBytes = 0
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += part.byteLength
    if (sizeBytes > maxBytes) {
      throw new NetworkError('COLLATERAL_ANSWER_INVALID', `${what} has more than ${maxBytes} bytes`)
    }
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

function unreachable(why: string, what: string, cause?: unknown): NetworkError {
  return new NetworkError('COLLATERAL_UNREACHABLE', `${why} when asked for ${what}: check the URL and the way to it`, {
    cause
  })
}

function hint(status: number): string {
  return status === 429
    ? ', too many requests'
    : status >= 300 && status < 400
      ? ', a redirect, which is not followed'
      : ''
}

// fetch says "fetch failed", its cause says why.
function whyNot(cause: unknown): string {
  if (cause instanceof Error && cause.name === 'TimeoutError') {
    return 'time limit'
  }
  const inner = cause instanceof Error ? cause.cause : undefined
  return errorCode(inner) ?? errorCode(cause) ?? errorMessage(inner ?? cause).slice(0, 80)
}
