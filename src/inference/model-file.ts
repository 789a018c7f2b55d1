import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { CancelledError, EnvironmentError, errorCode } from '../core/errors.ts'
import { EndOfFile, FileWindow } from './file-window.ts'
import { type GgufHeader, readGgufHeader } from './gguf-header.ts'
import { quantizationName } from './gguf-types.ts'

/** What a GGUF file says of itself, after its structure was checked. */
export interface ModelFile {
  path: string
  sizeBytes: number
  /** `general.name`, or the file's name where it has none. */
  name: string
  architecture: string
  /** Like `Q8_0`; `unknown` when the file does not say. */
  quantization: string
  /** Tokens the model was trained to see at once. */
  contextTokens: number
  /** Number of weights. */
  parameters: number
  /** Jinja source of `tokenizer.chat_template`. */
  chatTemplate?: string
}

/**
 * Checks a model file before llama.cpp sees it: present, a GGUF of a known version, and as long as its own
 * tensor table says it must be.
 *
 * @throws {EnvironmentError} `MODEL_NOT_FOUND`, `MODEL_NOT_GGUF`, `MODEL_TRUNCATED` or `MODEL_UNSUPPORTED`
 */
export async function checkModelFile(path: string, options: AbortOptions = {}): Promise<ModelFile> {
  throwIfAborted(options.signal)
  const file = await openModel(path)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) {
      throw new EnvironmentError('MODEL_NOT_GGUF', `${path} is not a file: expected the path of a GGUF model`)
    }
    return describe(path, stat.size, await readHeader(file, path, stat.size))
  } finally {
    await file.close()
  }
}

/**
 * SHA-256 of a model file: the digest that records, statements and receipts name it by.
 *
 * @throws {EnvironmentError} `MODEL_NOT_FOUND` if it cannot be read
 * @throws {CancelledError} `CANCELLED`
 */
export async function modelDigest(path: string, options: AbortOptions = {}): Promise<Uint8Array> {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash, { signal: options.signal })
  } catch (cause) {
    if (options.signal?.aborted === true) {
      throw new CancelledError('Cancelled while the model file was hashed', { cause })
    }
    throw unreadable(path, cause)
  }
  return new Uint8Array(hash.digest())
}

async function openModel(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): EnvironmentError {
  const why =
    errorCode(cause) === 'ENOENT' ? 'there is no such file' : `it cannot be read (${errorCode(cause) ?? 'unknown'})`
  return new EnvironmentError('MODEL_NOT_FOUND', `Model ${path}: ${why}. Give the path of a GGUF file with --model`, {
    cause
  })
}

async function readHeader(file: FileHandle, path: string, sizeBytes: number): Promise<GgufHeader> {
  let header: GgufHeader
  try {
    header = await readGgufHeader(new FileWindow(file, sizeBytes), path)
  } catch (err) {
    if (err instanceof EndOfFile) {
      throw new EnvironmentError(
        'MODEL_TRUNCATED',
        `${path} ends inside its header (${sizeBytes} bytes): download it again`
      )
    }
    throw err
  }
  if (sizeBytes < header.endBytes) {
    throw new EnvironmentError(
      'MODEL_TRUNCATED',
      `${path} has ${sizeBytes} bytes but its tensors need ${header.endBytes}: download it again`
    )
  }
  return header
}

function describe(path: string, sizeBytes: number, header: GgufHeader): ModelFile {
  const { metadata } = header
  const architecture = metadata.get('general.architecture')
  const contextTokens = metadata.get(`${String(architecture)}.context_length`)
  if (typeof architecture !== 'string' || typeof contextTokens !== 'number' || contextTokens < 2) {
    throw new EnvironmentError(
      'MODEL_UNSUPPORTED',
      `${path} is a GGUF file but no language model: it names no architecture with a context length`
    )
  }
  const parts = metadata.get('split.count')
  if (typeof parts === 'number' && parts > 1) {
    throw new EnvironmentError(
      'MODEL_UNSUPPORTED',
      `${path} is one of ${parts} parts: merge them first with llama-gguf-split --merge`
    )
  }
  const name = metadata.get('general.name')
  const fileType = metadata.get('general.file_type')
  const chatTemplate = metadata.get('tokenizer.chat_template')
  return {
    path,
    sizeBytes,
    name: typeof name === 'string' && name !== '' ? name : basename(path).replace(/\.gguf$/i, ''),
    architecture,
    quantization: quantizationName(typeof fileType === 'number' ? fileType : undefined),
    contextTokens,
    parameters: header.parameters,
    ...(typeof chatTemplate === 'string' && chatTemplate !== '' ? { chatTemplate } : {})
  }
}
