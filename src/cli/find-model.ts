import { type ChosenModel, knownModel, matchModel } from './model-choice.ts'
import type { CliClient } from './node-port.ts'

/** How long providers are looked for, in milliseconds. */
export const SEARCH_TIMEOUT_MS = 5_000

/**
 * The model a user means by a shipped name, a digest, or a name that somebody advertises.
 *
 * @throws {NetworkError} `MODEL_NOT_FOUND`
 * @throws {UsageError} `MODEL_AMBIGUOUS`
 */
export async function findModel(
  client: Pick<CliClient, 'providers'>,
  text: string,
  signal: AbortSignal
): Promise<ChosenModel> {
  const known = knownModel(text)
  if (known !== undefined) {
    return known
  }
  const advertised: Array<{ name: string; digest: Uint8Array }> = []
  for await (const { models } of client.providers({}, { signal, timeoutMs: SEARCH_TIMEOUT_MS })) {
    advertised.push(...models)
  }
  return matchModel(text, advertised)
}
