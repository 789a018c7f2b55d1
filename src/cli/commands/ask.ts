import type { Command } from 'commander'
import type { AnswerEvent, AskRequest } from '../../client/events.ts'
import { DEFAULT_MODEL } from '../../core/default-model.ts'
import { DEFAULT_MAX_TOKENS, MAX_TOKENS_LIMIT, MAX_UINT32 } from '../answer-limits.ts'
import { answerObject, eventObject, renderSummary, SIMULATED, SIMULATED_ANSWER_WARNING } from '../answer-summary.ts'
import { type ClientOptions, clientOverrides } from '../client-overrides.ts'
import type { CommandContext } from '../context.ts'
import { findModel } from '../find-model.ts'
import { lateNote } from '../late-note.ts'
import type { ChosenModel } from '../model-choice.ts'
import { newCommand } from '../new-command.ts'
import { amount, decimalNumber, peerId, wholeNumber } from '../option-values.ts'
import { readQuestion } from '../read-question.ts'
import { type Sealing, sealingOf, withSealingOptions } from '../sealing.ts'
import { withClient } from '../with-node.ts'

interface AskOptions extends ClientOptions {
  model: string
  system?: string
  provider?: string
  maxTokens: number
  temperature?: number
  seed?: number
  streamJson?: boolean
}

/** `cocoon-node ask` */
export function askCommand(context: CommandContext): Command {
  const command = newCommand('ask', {
    summary: 'Ask the mesh a question',
    description:
      'Seals the question to attested enclaves, pays for the answer as it comes and prints it as it comes.\n' +
      'What it cost and who answered follows on stderr.',
    examples: [
      ['cocoon-node ask "What is Cocoon?"', 'the model that ships with cocoon-node'],
      ['cocoon-node ask - < chat.txt', 'the question from a file'],
      ['git diff | cocoon-node ask --model qwen2.5-coder', 'from a pipe, to another model'],
      ['cocoon-node ask --max-price 0.1 --max-tokens 64 "Hi"', 'limit price and length'],
      ['cocoon-node ask --privacy strict --max-tokens 64 "Hi"', 'hide when words come, and how many'],
      ['cocoon-node ask --json "Hi"', 'one object with answer, usage and cost']
    ]
  })
    .argument('[question...]', 'the question; - reads it from stdin')
    .option('--model <name|digest>', 'model by name, or by the digest of its file', DEFAULT_MODEL.name)
    .option('--system <text>', 'system prompt')
    .option('--provider <peer>', 'only this provider', peerId('--provider'))
    .option(
      '--max-tokens <n>',
      'longest answer, in tokens',
      wholeNumber('--max-tokens', 1, MAX_TOKENS_LIMIT),
      DEFAULT_MAX_TOKENS
    )
    .option('--temperature <t>', 'randomness, 0 to 2', decimalNumber('--temperature', 0, 2))
    .option('--seed <n>', 'repeat the same random choices', wholeNumber('--seed', 0, MAX_UINT32))
    .option('--max-price <TON>', 'most paid per million tokens, prompt or answer', amount('--max-price'))
    .option('--candidates <n>', 'enclaves the question is sealed to', wholeNumber('--candidates', 1, 8))
  return withSealingOptions(command)
    .option('--stream-json', 'events as JSON lines, as they come')
    .action((words: string[], options: AskOptions) => ask(context, words, options))
}

async function ask(context: CommandContext, words: string[], options: AskOptions): Promise<void> {
  const { io, signal } = context
  const question = await readQuestion(words, io.stdin, signal)
  await withClient(context, clientOverrides(options), async (client, node) => {
    const model = await findModel(client, options.model, signal)
    const request = askRequest(question, model, options)
    const events = client.ask(request, { signal })
    await showAnswer(context, model, sealingOf(node), events, options.streamJson === true)
  })
}

function askRequest(question: string, model: ChosenModel, options: AskOptions): AskRequest {
  const { system, provider, maxTokens, temperature, seed } = options
  return {
    messages: [
      ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
      { role: 'user' as const, content: question }
    ],
    modelDigestHex: model.digestHex,
    maxTokens,
    ...(provider === undefined ? {} : { provider }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(seed === undefined ? {} : { seed })
  }
}

async function showAnswer(
  { output }: CommandContext,
  model: ChosenModel,
  sealing: Sealing,
  events: AsyncIterable<AnswerEvent>,
  streamJson: boolean
): Promise<void> {
  const waiting = lateNote(output, `Waiting for a provider of ${model.name}…`)
  const seen = new SeenAnswer()
  const plain = !streamJson && !output.json
  try {
    for await (const event of events) {
      waiting.done()
      seen.take(event)
      if (streamJson) {
        output.event(eventObject(event, sealing))
      } else if (plain && event.type === 'text') {
        output.stream(event.text)
      } else if (plain && event.type === 'provider' && event.tier === SIMULATED) {
        output.note(`Note: ${SIMULATED_ANSWER_WARNING}`)
      }
    }
  } finally {
    waiting.done()
    // What came before an answer broke off was paid for: it is printed all the same.
    if (output.json && !streamJson && (seen.end !== undefined || seen.text !== '')) {
      output.event(answerObject(model, seen.text, sealing, seen.provider, seen.end))
    } else if (plain && seen.text !== '') {
      output.stream('\n')
    }
  }
  if (plain && seen.end !== undefined) {
    output.note(`\n${renderSummary(seen.provider, seen.end)}`)
  }
}

/** What an answer's events came to so far. */
class SeenAnswer {
  text = ''
  provider: Extract<AnswerEvent, { type: 'provider' }> | undefined
  end: Extract<AnswerEvent, { type: 'end' }> | undefined

  take(event: AnswerEvent): void {
    switch (event.type) {
      case 'provider':
        this.provider = event
        break
      case 'text':
        this.text += event.text
        break
      case 'end':
        this.end = event
        break
    }
  }
}
