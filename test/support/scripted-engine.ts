import type { Engine } from '../../src/inference/index.ts'

/** An engine without a model: it says what `generate` yields. */
export function scriptedEngine(generate: Engine['generate']): Engine {
  return {
    model: {
      name: 'scripted',
      digest: new Uint8Array(32).fill(8),
      contextTokens: 100,
      quantization: 'F32',
      parameters: 1,
      hasChatTemplate: true
    },
    backend: 'cpu',
    devices: [],
    threads: 1,
    slots: 1,
    generate,
    close: async () => undefined
  }
}

/** What an enclave is told to load; nothing of it reaches a scripted engine. */
export const SCRIPTED_LOAD = {
  path: '/m.gguf',
  threads: 0,
  slots: 0,
  gpu: 'auto',
  contextTokens: 0,
  evidence: 'simulated',
  gpuCommand: ''
}
