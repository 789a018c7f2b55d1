import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../../config/index.ts'
import { EnvironmentError } from '../../core/errors.ts'
import type { CommandContext } from '../context.ts'
import { lateNote } from '../late-note.ts'
import { newCommand } from '../new-command.ts'
import type { CliNode } from '../node-port.ts'
import { each, invalidValue, type ValueReader, wholeNumber } from '../option-values.ts'
import { describeReady, readyEvent } from '../ready-provider.ts'
import { checkAddresses } from '../tcp-address.ts'
import { openNode } from '../with-node.ts'

interface ProvideOptions {
  model?: string
  threads?: number | 'auto'
  slots?: number
  listen?: string[]
}

/** `cocoon-node provide` */
export function provideCommand(context: CommandContext): Command {
  return newCommand('provide', {
    summary: 'Answer for others and earn, until Ctrl-C',
    description:
      'Loads the model in the enclave, measures it, joins the mesh and serves paid jobs until Ctrl-C or SIGTERM,\n' +
      'which end running jobs in order. A machine without a TEE runs a simulated enclave: it works, and hides nothing.',
    examples: [
      ['cocoon-node provide', 'the model that ships with cocoon-node'],
      ['cocoon-node provide --model qwen2.5-7b-q4.gguf --slots 4', 'a model of yours, four jobs at once'],
      ['cocoon-node provide --listen /ip4/0.0.0.0/tcp/4710', 'a fixed port to forward'],
      ['cocoon-node provide --json', 'events as JSON lines: ready, published, stopped']
    ]
  })
    .option('--model <file>', 'GGUF file to serve')
    .option('--threads <n>', 'CPU threads of the model, or auto to measure', readThreads)
    .option('--slots <n>', 'jobs answered at once', wholeNumber('--slots', 1, 64))
    .option(
      '--listen <address>',
      'TCP multiaddr to listen on; may be repeated',
      each(text => text)
    )
    .action((options: ProvideOptions) => provide(context, options))
}

const readThreads: ValueReader<number | 'auto'> = text => {
  if (text === 'auto') {
    return text
  }
  if (!/^\d+$/.test(text)) {
    throw invalidValue('--threads', text, 'auto, or a whole number from 1 to 256')
  }
  return wholeNumber('--threads', 1, 256)(text)
}

async function provide(context: CommandContext, options: ProvideOptions): Promise<void> {
  const { output, signal } = context
  await checkAddresses('--listen', 'listenAddress', options.listen ?? [])
  const { promise: enclaveDied, reject: onDeath } = rejection()
  const loading = lateNote(output, 'Loading and measuring the model…')
  const node = await openNode(context, 'provider', providerOverrides(options), {
    onEnclaveExit: () => onDeath(enclaveDeath())
  }).finally(loading.done)
  try {
    await node.start({ signal })
    announceReady(context, node)
    await Promise.race([untilAborted(signal), enclaveDied])
  } finally {
    await node.stop()
  }
  output.result({ event: 'stopped' }, () => 'Stopped.')
}

/** A model is named relative to the folder the user is in, one in the configuration relative to its home folder. */
function providerOverrides({ model, threads, slots, listen }: ProvideOptions): (config: Config) => Config {
  return config => ({
    ...config,
    mesh: { ...config.mesh, ...(listen === undefined ? {} : { listen }) },
    provider: {
      ...config.provider,
      ...(model === undefined ? {} : { modelPath: resolve(model) }),
      ...(threads === undefined ? {} : { threads }),
      ...(slots === undefined ? {} : { slots })
    }
  })
}

function announceReady({ output, signal }: CommandContext, node: CliNode): void {
  const ready = readyEvent(node)
  output.result(ready, () => describeReady(ready))
  void node.provider?.published.then(() => {
    if (!signal.aborted) {
      output.result({ event: 'published' }, () => 'Published: clients can find this provider now.')
    }
  })
}

/** Ctrl-C is how a provider is stopped: that is no failure. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(end => {
    if (signal.aborted) {
      end()
    } else {
      signal.addEventListener('abort', () => end(), { once: true })
    }
  })
}

function rejection(): { promise: Promise<never>; reject: (err: Error) => void } {
  let reject!: (err: Error) => void
  const promise = new Promise<never>((_, fail) => {
    reject = fail
  })
  // It may happen while nobody waits, e.g. during the start.
  promise.catch(() => undefined)
  return { promise, reject }
}

function enclaveDeath(): EnvironmentError {
  return new EnvironmentError(
    'ENCLAVE_EXITED',
    'The enclave process ended by itself: free some memory, look into the log of the home folder and start again'
  )
}
