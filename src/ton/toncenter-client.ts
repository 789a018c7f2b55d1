import { type AbortOptions, throwIfAborted, withTimeLimit } from '../core/abort.ts'
import { CancelledError, errorCode, errorMessage } from '../core/errors.ts'
import { AbsurdAnswer, type FailureDetails, ToncenterFailure } from './toncenter-failure.ts'

/** One request of toncenter's API v2 (JSON-RPC). */
export interface ToncenterRequest {
  /** `https://…/api/v2/jsonRPC`. */
  url: string
  apiKey?: string
  method: string
  params: Readonly<Record<string, unknown>>
  timeoutMs: number
  /** Longest answer that is read at all. */
  maxBytes: number
}

/** Makes a request and hands on its `result`. Injected so that tests own the network. */
export type ToncenterTransport = (request: ToncenterRequest, options?: AbortOptions) => Promise<unknown>

const TOO_MANY_REQUESTS = 429
const MAX_ERROR_BYTES = 65_536
const MAX_TEXT = 160
/** Parts of a URL's path that are shorter name something; longer ones may be a key. */
const SECRET_CHARACTERS = 12

/** Failures from before the request left. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

/**
 * Asks over HTTP. Not by the stock client: it reads answers of any length, cannot be cancelled, and its errors carry the
 * API key.
 *
 * @throws {ToncenterFailure} no result
 * @throws {AbsurdAnswer} the answer is larger than `maxBytes`
 * @throws {CancelledError} `CANCELLED`
 */
export const askToncenter: ToncenterTransport = async (request, { signal } = {}) => {
  throwIfAborted(signal)
  return withTimeLimit(request.timeoutMs, signal, limit => ask(request, limit, signal))
}

async function ask(request: ToncenterRequest, limit: AbortSignal, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    const response = await fetch(request.url, {
      method: 'POST',
      // The key is for this server only.
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        ...(request.apiKey === undefined ? {} : { 'x-api-key': request.apiKey })
      },
      body: JSON.stringify({ id: '1', jsonrpc: '2.0', method: request.method, params: request.params }),
      signal: limit
    })
    return await readResult(response, request)
  } catch (err) {
    if (err instanceof ToncenterFailure || err instanceof AbsurdAnswer) {
      throw err
    }
    if (signal?.aborted === true) {
      throw new CancelledError('Cancelled', { cause: signal.reason })
    }
    if (limit.aborted) {
      throw new ToncenterFailure(`no answer within ${request.timeoutMs / 1000} s`)
    }
    throw connectionFailure(err, request)
  }
}

async function readResult(response: Response, request: ToncenterRequest): Promise<unknown> {
  const { status } = response
  if (status !== 200) {
    const text = await readText(response, MAX_ERROR_BYTES)
    throw new ToncenterFailure(statusText(status, parseJson(text ?? ''), request), {
      status,
      ...(status === TOO_MANY_REQUESTS ? retryAfter(response) : {})
    })
  }
  const text = await readText(response, request.maxBytes)
  if (text === undefined) {
    throw new AbsurdAnswer(`an answer to ${request.method} of more than ${request.maxBytes} bytes`)
  }
  const body = parseJson(text)
  if (field(body, 'ok') !== true) {
    throw new ToncenterFailure(statusText(status, body, request), { status })
  }
  return field(body, 'result')
}

/** Undefined if it is longer; the rest is not read. */
async function readText(response: Response, maxBytes: number): Promise<string | undefined> {
  const parts: Uint8Array[] = []
  let size = 0
  // Leaving the loop early ends the connection.
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.byteLength
    if (size > maxBytes) {
      return undefined
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Undefined for what is no JSON, such as the page of a proxy on the way. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function statusText(status: number, body: unknown, request: ToncenterRequest): string {
  const said = [field(body, 'error'), field(body, 'result')].find(value => typeof value === 'string')
  return `HTTP ${status}${said === undefined ? '' : `, ${printable(said, request)}`}`
}

function retryAfter(response: Response): FailureDetails {
  const seconds = response.headers.get('retry-after') ?? ''
  return /^\d{1,4}$/.test(seconds) ? { retryAfterMs: Number(seconds) * 1000 } : {}
}

/** `fetch` hides the reason in its error's cause; several addresses of one name have one each. */
function connectionFailure(err: unknown, request: ToncenterRequest): ToncenterFailure {
  const cause = field(err, 'cause') ?? err
  const errors = field(cause, 'errors')
  const all: unknown[] = Array.isArray(errors) && errors.length > 0 ? errors : [cause]
  const code = errorCode(cause) ?? all.map(errorCode).find(found => found !== undefined)
  return new ToncenterFailure(code ?? printable(errorMessage(cause), request), {
    notSent: all.every(one => NOT_SENT.has(errorCode(one) ?? ''))
  })
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

/** Text of a stranger's server: one line, short, printable, and without what only we and it should know. */
function printable(text: string, { url, apiKey }: ToncenterRequest): string {
  const { pathname, search, username, password } = new URL(url)
  const secrets = [...pathname.split('/'), search, username, password]
  let shown = text
  for (const secret of [apiKey ?? '', ...secrets.filter(part => part.length >= SECRET_CHARACTERS)]) {
    shown = secret === '' ? shown : shown.replaceAll(secret, '…')
  }
  return shown.replace(/[^\x20-\x7e…]+/g, ' ').slice(0, MAX_TEXT)
}
