import { PeerError, UsageError } from '../core/errors.ts'
import { LIMITS } from './limits.ts'

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** How an answer travels: in frames as they fill, or at a constant rate for as long as its limit might take. */
export const PRIVACY_MODES = ['standard', 'strict'] as const

export type PrivacyMode = (typeof PRIVACY_MODES)[number]

/** The body that is sealed to the enclave: one question. Absent settings are the engine's defaults. */
export interface JobRequest {
  messages: ChatMessage[]
  /** Most completion tokens, 1 or more. */
  maxTokens?: number
  /** 0 to 2. */
  temperature?: number
  /** Above 0, at most 1. */
  topP?: number
  /** 0 to 2^32-1. */
  seed?: number
  /** At most 4 texts of 1 to 256 characters that end the answer. */
  stop?: string[]
  /** @default 'standard' */
  privacy?: PrivacyMode
}

const MAX_MESSAGES = 1024
const MAX_STOPS = 4
const MAX_STOP_LENGTH = 256
const MAX_UINT32 = 0xffff_ffff
const ROLES: readonly unknown[] = ['system', 'user', 'assistant']
const FIELDS: readonly string[] = ['messages', 'maxTokens', 'temperature', 'topP', 'seed', 'stop', 'privacy']

/**
 * UTF-8 JSON of a request, checked as the enclave will check it.
 *
 * @throws {UsageError} `JOB_REQUEST_INVALID`, naming the field and never its text
 */
export function encodeJobRequest(request: JobRequest): Uint8Array {
  const fault = findFault(request)
  if (fault !== undefined) {
    throw new UsageError('JOB_REQUEST_INVALID', fault)
  }
  const { messages, ...settings } = request
  const plain = messages.map(({ role, content }) => ({ role, content }))
  return new Uint8Array(Buffer.from(JSON.stringify({ messages: plain, ...settings })))
}

/**
 * The opened request, strictly: size, then JSON, then every field. Unknown fields are refused, so that no client
 * believes in a setting that nobody reads.
 *
 * @throws {PeerError} `JOB_REQUEST_INVALID`, naming the field and never its text
 */
export function decodeJobRequest(bytes: Uint8Array): JobRequest {
  if (bytes.byteLength > LIMITS.sealedRequestBytes) {
    throw new PeerError(
      'JOB_REQUEST_INVALID',
      `The request has ${bytes.byteLength} bytes: at most ${LIMITS.sealedRequestBytes} are accepted`
    )
  }
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    // The parser's own message quotes the input.
    throw new PeerError('JOB_REQUEST_INVALID', 'The request is not JSON in UTF-8')
  }
  const fault = findFault(value)
  if (fault !== undefined) {
    throw new PeerError('JOB_REQUEST_INVALID', fault)
  }
  return value as JobRequest
}

/** What is wrong with a request, in words that quote nothing of it. */
function findFault(value: unknown): string | undefined {
  if (!isRecord(value)) {
    return 'The request must be an object'
  }
  if (Object.keys(value).some(key => !FIELDS.includes(key))) {
    return `The request has an unknown field: expected only ${FIELDS.join(', ')}`
  }
  const { maxTokens, temperature, topP, seed, stop, privacy } = value
  const checks: Array<[boolean, string]> = [
    [isInteger(maxTokens, 1), 'maxTokens must be an integer from 1'],
    [isNumber(temperature, 0, 2), 'temperature must be a number from 0 to 2'],
    [isNumber(topP, 0, 1) && topP !== 0, 'topP must be a number above 0 and at most 1'],
    [isInteger(seed, 0), 'seed must be an integer from 0 to 4294967295'],
    [
      stop === undefined || isStops(stop),
      `stop must be at most ${MAX_STOPS} texts of 1 to ${MAX_STOP_LENGTH} characters`
    ],
    [
      privacy === undefined || PRIVACY_MODES.some(mode => mode === privacy),
      `privacy must be ${PRIVACY_MODES.join(' or ')}`
    ]
  ]
  return messagesFault(value['messages']) ?? checks.find(([holds]) => !holds)?.[1]
}

function messagesFault(messages: unknown): string | undefined {
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MAX_MESSAGES) {
    return `messages must be a list of 1 to ${MAX_MESSAGES}`
  }
  const at = messages.findIndex(message => !isMessage(message))
  return at < 0
    ? undefined
    : `messages[${at}] must have a role (system, user or assistant) and a content of text, and nothing else`
}

function isMessage(value: unknown): value is ChatMessage {
  return isRecord(value) && Object.keys(value).length === 2 && ROLES.includes(value['role']) && isText(value['content'])
}

/** Lone surrogates are no Unicode text: UTF-8 has no bytes for them. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !/\p{Surrogate}/u.test(value)
}

function isStops(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= MAX_STOPS &&
    value.every(stop => isText(stop) && stop.length > 0 && stop.length <= MAX_STOP_LENGTH)
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isInteger(value: unknown, min: number): boolean {
  return value === undefined || (Number.isInteger(value) && (value as number) >= min && (value as number) <= MAX_UINT32)
}

function isNumber(value: unknown, min: number, max: number): boolean {
  return value === undefined || (typeof value === 'number' && value >= min && value <= max)
}
