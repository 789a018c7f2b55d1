import type { Command } from 'commander'
import { NetworkError } from '../../core/errors.ts'
import type { CommandContext } from '../context.ts'
import { findModel, SEARCH_TIMEOUT_MS } from '../find-model.ts'
import { lateNote } from '../late-note.ts'
import { newCommand } from '../new-command.ts'
import type { AdvertisedProvider, CliClient } from '../node-port.ts'
import { oneOf } from '../option-values.ts'
import { providerObject, renderProviders } from '../provider-table.ts'
import { withClient } from '../with-node.ts'

interface ProvidersOptions {
  model?: string
  tier?: string
}

/** `cocoon-node providers` */
export function providersCommand(context: CommandContext): Command {
  return newCommand('providers', {
    summary: 'Who offers which model, how fast and for how much',
    description: 'Lists what providers say of themselves. Their attestation is checked when a question is asked.',
    examples: [
      ['cocoon-node providers', 'everyone'],
      ['cocoon-node providers --model qwen2.5-coder', 'of one model, by name or digest'],
      ['cocoon-node providers --tier tdx+gpu --json', 'of one tier, as JSON lines']
    ]
  })
    .option('--model <name|digest>', 'only providers of this model')
    .option('--tier <tier>', 'only this tier', oneOf('--tier', ['tdx+gpu', 'tdx', 'snp', 'simulated']))
    .action((options: ProvidersOptions) => listProviders(context, options))
}

async function listProviders(context: CommandContext, options: ProvidersOptions): Promise<void> {
  const { output, signal } = context
  const found = await withClient(
    context,
    config => config,
    async client => {
      const waiting = lateNote(output, 'Looking for providers…')
      return findProviders(client, options, signal).finally(waiting.done)
    }
  )
  if (found.length === 0) {
    throw new NetworkError(
      'NO_PROVIDERS',
      `No provider was found within ${SEARCH_TIMEOUT_MS / 1000} s: check the bootstrap peers in config.json, and that they run`
    )
  }
  if (output.json) {
    found.forEach(provider => output.event(providerObject(provider)))
  } else {
    output.result({}, () => renderProviders(found))
  }
}

async function findProviders(
  client: CliClient,
  { model, tier }: ProvidersOptions,
  signal: AbortSignal
): Promise<AdvertisedProvider[]> {
  const wanted = model === undefined ? undefined : await findModel(client, model, signal)
  const found: AdvertisedProvider[] = []
  const query = {
    ...(wanted === undefined ? {} : { modelDigestHex: wanted.digestHex }),
    ...(tier === undefined ? {} : { tier })
  }
  for await (const provider of client.providers(query, { signal, timeoutMs: SEARCH_TIMEOUT_MS })) {
    found.push(provider)
  }
  return found
}
