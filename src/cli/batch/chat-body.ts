import type { AskRequest } from '../../client/events.ts'
import { DEFAULT_MAX_TOKENS, MAX_TOKENS_LIMIT, MAX_UINT32 } from '../answer-limits.ts'
import { safeLine } from '../terminal-text.ts'
import { isRecord, LineFault } from './line-fault.ts'

/** A chat completion request: the model as the line names it, and what is asked of it. */
export interface ChatBody {
  model: string
  request: Omit<AskRequest, 'modelDigestHex' | 'provider'>
}

type Messages = AskRequest['messages']
type Role = Messages[number]['role']

const ROLES: readonly unknown[] = ['system', 'user', 'assistant']
const MAX_STOPS = 4

/** Fields that change nothing about the answer. */
const WITHOUT_EFFECT = ['user', 'metadata']

/** Fields that are understood only where they ask for what happens anyway. */
const FIXED: Readonly<Record<string, unknown>> = {
  n: 1,
  stream: false,
  store: false,
  logprobs: false,
  frequency_penalty: 0,
  presence_penalty: 0
}

/**
 * Reads the body of a chat completion. A field that nobody would act on is refused, so that no answer looks as if it
 * had been.
 *
 * @throws {LineFault} in words that quote nothing of the messages
 */
export function readChatBody(body: unknown): ChatBody {
  if (!isRecord(body)) {
    throw new LineFault('body must be an object')
  }
  const { model, messages, max_tokens, max_completion_tokens, temperature, top_p, seed, stop, ...rest } = body
  refuseUnknown(rest)
  if (typeof model !== 'string' || model === '' || model.length > 200) {
    throw new LineFault('body.model must be the name or the digest of a model')
  }
  const [maxName, max] = given(max_completion_tokens)
    ? ['max_completion_tokens', max_completion_tokens]
    : ['max_tokens', max_tokens]
  return {
    model,
    request: {
      messages: readMessages(messages),
      maxTokens: given(max) ? integer(maxName, max, 1, MAX_TOKENS_LIMIT) : DEFAULT_MAX_TOKENS,
      ...(given(temperature) ? { temperature: number('temperature', temperature, 0, 2) } : {}),
      ...(given(top_p) ? { topP: positive('top_p', number('top_p', top_p, 0, 1)) } : {}),
      ...(given(seed) ? { seed: integer('seed', seed, 0, MAX_UINT32) } : {}),
      ...(given(stop) ? { stop: readStops(stop) } : {})
    }
  }
}

function refuseUnknown(rest: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(rest)) {
    if (WITHOUT_EFFECT.includes(name) || !given(value)) {
      continue
    }
    if (!Object.hasOwn(FIXED, name)) {
      throw new LineFault(`body.${safeLine(name, 40)} is not supported: leave it out`)
    }
    if (value !== FIXED[name]) {
      throw new LineFault(`body.${name} must be ${String(FIXED[name])} or left out`)
    }
  }
}

function readMessages(messages: unknown): Messages {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new LineFault('body.messages must be a list of at least one message')
  }
  return messages.map((message: unknown, index) => readMessage(message, `body.messages[${index}]`))
}

function readMessage(message: unknown, path: string): Messages[number] {
  if (!isRecord(message)) {
    throw new LineFault(`${path} must be an object`)
  }
  const { role, content, ...rest } = message
  const [unknown] = Object.entries(rest).filter(([, value]) => given(value))
  if (unknown !== undefined) {
    throw new LineFault(`${path}.${safeLine(unknown[0], 40)} is not supported: leave it out`)
  }
  if (!ROLES.includes(role)) {
    throw new LineFault(`${path}.role must be system, user or assistant`)
  }
  return { role: role as Role, content: readContent(content, `${path}.content`) }
}

/** A text, or a list of text parts. */
function readContent(content: unknown, path: string): string {
  if (typeof content === 'string') {
    return content
  }
  if (!Array.isArray(content)) {
    throw new LineFault(`${path} must be a text`)
  }
  return content
    .map((part: unknown, index) => {
      if (!isRecord(part) || part['type'] !== 'text' || typeof part['text'] !== 'string') {
        throw new LineFault(`${path}[${index}] must be a part of type text: nothing else is supported`)
      }
      return part['text']
    })
    .join('')
}

function readStops(stop: unknown): string[] {
  const stops: unknown = typeof stop === 'string' ? [stop] : stop
  const isList = Array.isArray(stops) && stops.length <= MAX_STOPS
  if (!isList || !stops.every((text): text is string => typeof text === 'string' && text !== '')) {
    throw new LineFault(`body.stop must be a text, or a list of at most ${MAX_STOPS} texts`)
  }
  return stops
}

function integer(name: string, value: unknown, min: number, max: number): number {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw new LineFault(`body.${name} must be a whole number from ${min} to ${max}`)
  }
  return value as number
}

function number(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw new LineFault(`body.${name} must be a number from ${min} to ${max}`)
  }
  return value
}

function positive(name: string, value: number): number {
  if (value === 0) {
    throw new LineFault(`body.${name} must be above 0`)
  }
  return value
}

/** OpenAI's clients write `null` for what was left out. */
function given(value: unknown): boolean {
  return value !== undefined && value !== null
}
