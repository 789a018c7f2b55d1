export { chooseThreads } from './choose-threads.ts'
export { defaultModelPath } from './default-model.ts'
export type {
  ChatMessage,
  Device,
  Engine,
  GenerateEvent,
  GenerateOptions,
  GenerateRequest,
  ModelInfo
} from './engine.ts'
export type { GpuChoice } from './llama-backend.ts'
export { type LlamaEngineInit, openLlamaEngine } from './llama-engine.ts'
export { measureSpeed, type SpeedReport } from './measure-speed.ts'
export { checkModelFile, type ModelFile, modelDigest } from './model-file.ts'
