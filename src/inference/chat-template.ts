import { randomBytes } from 'node:crypto'
import { Template } from '@huggingface/jinja'
import { EnvironmentError, UsageError } from '../core/errors.ts'
import type { ChatMessage } from './engine.ts'

/** A piece of a prompt. Only `special` pieces may hold the model's control tokens. */
export interface PromptPart {
  text: string
  special: boolean
}

/** What a template may name besides the messages. */
export interface TemplateTokens {
  bosToken: string
  eosToken: string
  /** Texts of the model's control tokens, like `<|im_end|>`. */
  controlTexts: readonly string[]
}

/** Renders messages to the prompt the model was trained on. Adds nothing that the template does not say. */
export type PromptRenderer = (messages: readonly ChatMessage[]) => PromptPart[]

/**
 * Renders with the model's own template. Control tokens written inside a message stay plain text, so that a
 * message cannot end its own turn or speak for another role.
 *
 * @throws {EnvironmentError} `MODEL_UNSUPPORTED` if the template cannot be read. The renderer throws
 * {@link UsageError} `PROMPT_INVALID` where the template refuses the messages, such as two user turns in a row
 */
export function templateRenderer(source: string, tokens: TemplateTokens): PromptRenderer {
  const template = parse(source)
  const controls = controlPattern(tokens.controlTexts)
  return messages => {
    // A name no message can guess stands for each control text while the template runs, trims and joins.
    const nonce = randomBytes(12).toString('hex')
    const hidden: string[] = []
    const hide = (text: string): string =>
      controls === undefined ? text : text.replace(controls, found => `\uE000${nonce}${hidden.push(found) - 1}\uE001`)
    const safe = messages.map(({ role, content }) => ({ role, content: hide(content) }))
    const rendered = render(template, {
      messages: safe,
      add_generation_prompt: true,
      bos_token: tokens.bosToken,
      eos_token: tokens.eosToken
    })
    return splitHidden(rendered, nonce, hidden)
  }
}

/** For a model without a template: the messages' texts, joined by line breaks, to be continued. */
export const plainRenderer: PromptRenderer = messages => [
  { text: messages.map(message => message.content).join('\n'), special: false }
]

function parse(source: string): Template {
  try {
    return new Template(source)
  } catch (cause) {
    throw new EnvironmentError(
      'MODEL_UNSUPPORTED',
      "The model's chat template cannot be read: use a GGUF file with a standard template",
      { cause }
    )
  }
}

function render(template: Template, values: Record<string, unknown>): string {
  try {
    return template.render(values)
  } catch {
    // The cause is left out on purpose: a template's own exception may quote the messages.
    throw new UsageError(
      'PROMPT_INVALID',
      "The model's chat template refuses these messages: check the order of their roles"
    )
  }
}

function controlPattern(texts: readonly string[]): RegExp | undefined {
  const known = texts.filter(text => text !== '').toSorted((a, b) => b.length - a.length)
  return known.length === 0 ? undefined : new RegExp(known.map(escape).join('|'), 'g')
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function splitHidden(rendered: string, nonce: string, hidden: readonly string[]): PromptPart[] {
  if (hidden.length === 0) {
    return [{ text: rendered, special: true }]
  }
  return rendered.split(new RegExp(`\uE000${nonce}(\\d+)\uE001`)).flatMap((text, index) => {
    const part = index % 2 === 0 ? { text, special: true } : { text: hidden[Number(text)] ?? '', special: false }
    return part.text === '' ? [] : [part]
  })
}
