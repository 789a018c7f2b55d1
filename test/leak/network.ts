import { DEFAULT_MODEL } from '../../src/core/default-model.ts'
import type { TrafficEvent } from '../../src/mesh/index.ts'
import type { PrivacyMode } from '../../src/wire/job-request.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { askAll, TestMesh } from '../support/test-mesh.ts'
import type { PromptClass } from './prompts.ts'
import type { Seen, Trace } from './trace.ts'

export interface NetworkInit {
  privacy: PrivacyMode
  samples: number
  maxTokens: number
  seed: number
}

/**
 * The same questions over a mesh of the whole product: real sockets, an enclave in its own process, real payments. What is
 * seen are the messages of the job stream in both directions at the client's end, in the clock of this machine.
 */
export async function traceNetwork(classes: readonly PromptClass[], init: NetworkInit): Promise<Trace[]> {
  const { privacy, samples, maxTokens, seed } = init
  const mesh = await TestMesh.start()
  let seen: Seen[] = []
  let startedMs = 0
  const tap = ({ kind, protocol, direction, bytes }: TrafficEvent): void => {
    if (kind === 'stream' && protocol === PROTOCOLS.job) {
      startedMs ||= performance.now()
      seen.push({ ms: performance.now() - startedMs, bytes: bytes.byteLength, up: direction === 'out' })
    }
  }
  try {
    await mesh.provider({ slots: 1 })
    const client = await mesh.client({ tap })
    const ask = async (content: string, questionSeed: number): Promise<Seen[]> => {
      seen = []
      startedMs = 0
      const messages = [{ role: 'user' as const, content }]
      const modelDigestHex = DEFAULT_MODEL.digestHex
      await askAll(client, { messages, modelDigestHex, maxTokens, temperature: 1, seed: questionSeed, privacy })
      return seen
    }
    // The first question of a client finds its provider and opens a channel: another kind of trace.
    await ask('What is Cocoon?', 0)
    const traces: Trace[] = []
    for (let sample = 0; sample < samples; sample++) {
      for (const [label, { content }] of classes.entries()) {
        traces.push({ label, seen: await ask(content, seed + sample * 1_000 + label) })
      }
    }
    return traces
  } finally {
    await mesh.stop()
  }
}
