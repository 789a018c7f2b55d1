import { cpus } from 'node:os'
import type { Llama, LlamaModel, LlamaOptions } from 'node-llama-cpp'
import { EnvironmentError } from '../core/errors.ts'
import type { Device } from './engine.ts'
import type { ModelFile } from './model-file.ts'

/** `auto`: the best GPU there is, else the processor. A named one is required, `off` forbids all. */
export type GpuChoice = 'auto' | 'cuda' | 'vulkan' | 'metal' | 'off'

/**
 * Loads llama.cpp, silent: prompts are in its debug output, so none of it may reach a terminal.
 * The library is imported here and nowhere else, so that a process that runs no model never holds it.
 *
 * @throws {EnvironmentError} `LLAMA_UNAVAILABLE` if no shipped build runs here, `GPU_UNAVAILABLE` if the GPU
 * asked for by name is not the one that llama.cpp came up with (it falls back without a word)
 */
export async function loadLlama(gpu: GpuChoice): Promise<Llama> {
  const { getLlama, LlamaLogLevel } = await import('node-llama-cpp')
  const options: LlamaOptions = {
    gpu: gpu === 'off' ? false : gpu,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.disabled,
    logger: () => undefined,
    debug: false,
    maxThreads: 0
  }
  let llama: Llama
  try {
    llama = await getLlama(options)
  } catch (cause) {
    if (gpu !== 'auto' && gpu !== 'off') {
      throw gpuUnavailable(gpu, 'none', cause)
    }
    throw new EnvironmentError(
      'LLAMA_UNAVAILABLE',
      'llama.cpp does not load here: reinstall the package for this platform',
      { cause }
    )
  }
  if (gpu !== 'auto' && backendName(llama) !== (gpu === 'off' ? 'cpu' : gpu)) {
    const found = backendName(llama)
    await llama.dispose()
    throw gpuUnavailable(gpu, found)
  }
  return llama
}

/** @throws {EnvironmentError} `MODEL_UNSUPPORTED` if llama.cpp refuses the file */
export async function loadLlamaModel(llama: Llama, file: ModelFile): Promise<LlamaModel> {
  try {
    return await llama.loadModel({ modelPath: file.path })
  } catch (cause) {
    throw new EnvironmentError(
      'MODEL_UNSUPPORTED',
      `${file.path} (${file.architecture}, ${file.quantization}) cannot be loaded: it is not a model this llama.cpp runs, or it needs more memory`,
      { cause }
    )
  }
}

export function backendName(llama: Llama): string {
  return llama.gpu === false ? 'cpu' : llama.gpu
}

/** GPUs as llama.cpp sees them. It tells the VRAM of all together only, so several are one entry. */
export async function listDevices(llama: Llama): Promise<Device[]> {
  if (llama.gpu === false) {
    return [{ name: cpus()[0]?.model.trim() ?? 'cpu', vramTotalBytes: 0, vramFreeBytes: 0 }]
  }
  const [names, vram] = await Promise.all([llama.getGpuDeviceNames(), llama.getVramState()])
  return [{ name: names.join(' + '), vramTotalBytes: vram.total, vramFreeBytes: vram.free }]
}

function gpuUnavailable(wanted: string, found: string, cause?: unknown): EnvironmentError {
  return new EnvironmentError(
    'GPU_UNAVAILABLE',
    `Asked for ${wanted}, but llama.cpp runs on ${found} here: check the driver, or use auto`,
    {
      cause
    }
  )
}
