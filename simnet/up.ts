import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { EnvironmentError } from '../src/core/errors.ts'
import { bringUp } from './bring-up.ts'
import type { SimnetContext } from './context.ts'
import { ExitGuard } from './exit-guard.ts'
import { type Network, networkFile, simnetFolder } from './network-file.ts'
import { Phases } from './phases.ts'
import { seconds } from './screen.ts'

export interface UpOptions {
  providers: number
  dir?: string
  model?: string
}

/**
 * `simnet up`: a network that stays.
 *
 * @throws the errors of `bringUp`
 */
export async function up(options: UpOptions, { output, signal }: SimnetContext): Promise<void> {
  const folder = simnetFolder(options.dir)
  const modelPath = await checkModel(options.model)
  const phases = new Phases()
  const guard = new ExitGuard()
  try {
    const network = await bringUp(
      { folder, providers: options.providers, outlivesOwner: true, ...(modelPath === undefined ? {} : { modelPath }) },
      { guard, phases, onProgress: what => output.note(what) },
      { signal }
    )
    output.result({ folder, file: networkFile(folder), ...network, phasesMs: phases.durations }, () =>
      describe(folder, network, options.dir !== undefined, phases.totalMs)
    )
  } finally {
    guard.dispose()
  }
}

/** Before anything is started; what is inside the file is the enclave's to judge. */
export async function checkModel(model: string | undefined): Promise<string | undefined> {
  if (model === undefined) {
    return undefined
  }
  const path = resolve(model)
  if ((await stat(path).catch(() => undefined))?.isFile() !== true) {
    throw new EnvironmentError('MODEL_NOT_FOUND', `${path} is not a file: expected a GGUF model`, { details: { path } })
  }
  return path
}

function describe(
  folder: string,
  { providers, chainUrl, clientHome }: Network,
  named: boolean,
  totalMs: number
): string {
  const dir = named ? ` --dir ${folder}` : ''
  const home = named ? ` --home ${clientHome}` : ''
  return [
    `A simulated network of ${providers.length} ${providers.length === 1 ? 'provider' : 'providers'} runs (${seconds(totalMs)}).`,
    'Its enclaves are simulated: no confidentiality. Its money is play money.',
    '',
    `  chain   ${chainUrl}`,
    `  client  ${clientHome}`,
    ...providers.map(({ name, peerId }) => `  ${name.padEnd(7)} ${peerId}`),
    '',
    `  cocoon-node ask${home} "What is Cocoon?"`,
    `  cocoon-node simnet status${dir}`,
    `  cocoon-node simnet down${dir}`
  ].join('\n')
}
