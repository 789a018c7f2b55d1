import { EnvironmentError } from '../core/errors.ts'
import type { FileWindow } from './file-window.ts'
import { tensorLayout } from './gguf-types.ts'

/** Values of the header that a check or a capacity record needs; arrays and the rest are skipped. */
export type GgufMetadata = ReadonlyMap<string, string | number | boolean>

export interface GgufHeader {
  version: number
  metadata: GgufMetadata
  /** Number of weights in all tensors. */
  parameters: number
  /** First byte past the last tensor: what the file must at least hold. */
  endBytes: number
}

// GGUF specification, `gguf_metadata_value_type`.
const SCALAR_BYTES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8
}
const STRING = 8
const ARRAY = 9

const MAX_ENTRIES = 65_536
/** GGUF specification: a key is at most 65,535 bytes. */
const MAX_KEY_BYTES = 65_535
const MAX_KEPT_STRING_BYTES = 1024 * 1024
/** ggml `GGML_MAX_DIMS`. */
const MAX_DIMENSIONS = 4
const DEFAULT_ALIGNMENT = 32

/**
 * Reads the header of a GGUF file (versions 2 and 3, little-endian) and works out how long the file must be.
 *
 * @throws {EnvironmentError} `MODEL_NOT_GGUF` or `MODEL_UNSUPPORTED`
 * @throws {EndOfFile} if the header is cut short
 */
export async function readGgufHeader(file: FileWindow, name: string): Promise<GgufHeader> {
  if (file.sizeBytes < 4 || (await file.bytes(4)).toString('latin1') !== 'GGUF') {
    throw new EnvironmentError('MODEL_NOT_GGUF', `${name} is not a GGUF model: its first bytes are not "GGUF"`)
  }
  const version = await file.u32()
  if (version !== 2 && version !== 3) {
    throw unsupported(name, `GGUF version ${version}, expected 2 or 3 in little-endian order`)
  }
  const tensorCount = await count(file, name, 'tensors')
  const entryCount = await count(file, name, 'metadata entries')
  const metadata = await readMetadata(file, name, entryCount)
  const { parameters, dataBytes } = await readTensors(file, name, tensorCount)
  const alignment = alignmentOf(metadata, name)
  const dataStart = Math.ceil(file.position / alignment) * alignment
  return { version, metadata, parameters, endBytes: tensorCount === 0 ? file.position : dataStart + dataBytes }
}

async function readMetadata(file: FileWindow, name: string, entryCount: number): Promise<GgufMetadata> {
  const metadata = new Map<string, string | number | boolean>()
  for (let entry = 0; entry < entryCount; entry++) {
    const keyBytes = await file.u64()
    if (keyBytes > MAX_KEY_BYTES) {
      throw unsupported(name, `a metadata key of ${keyBytes} bytes`)
    }
    const key = (await file.bytes(keyBytes)).toString('utf8')
    const type = await file.u32()
    const value = type === ARRAY ? await skipArray(file, name) : await readValue(file, name, type)
    if (value !== undefined) {
      metadata.set(key, value)
    }
  }
  return metadata
}

async function readValue(file: FileWindow, name: string, type: number): Promise<string | number | boolean | undefined> {
  if (type === STRING) {
    const length = await file.u64()
    if (length > MAX_KEPT_STRING_BYTES) {
      file.skip(length)
      return undefined
    }
    return (await file.bytes(length)).toString('utf8')
  }
  const bytes = await file.bytes(scalarBytes(name, type))
  switch (type) {
    case 2:
      return bytes.readUInt16LE()
    case 4:
      return bytes.readUInt32LE()
    case 5:
      return bytes.readInt32LE()
    case 7:
      return bytes[0] !== 0
    case 10: {
      const value = bytes.readBigUInt64LE()
      return value > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(value)
    }
    default:
      return undefined
  }
}

async function skipArray(file: FileWindow, name: string): Promise<undefined> {
  const type = await file.u32()
  const length = await file.u64()
  if (type !== STRING) {
    file.skip(length * scalarBytes(name, type))
    return
  }
  if (length * 8 > file.sizeBytes) {
    file.skip(Number.POSITIVE_INFINITY)
  }
  for (let item = 0; item < length; item++) {
    file.skip(await file.u64())
  }
}

async function readTensors(
  file: FileWindow,
  name: string,
  tensorCount: number
): Promise<{ parameters: number; dataBytes: number }> {
  let parameters = 0
  let dataBytes = 0
  for (let tensor = 0; tensor < tensorCount; tensor++) {
    const nameBytes = await file.u64()
    if (nameBytes > MAX_KEY_BYTES) {
      throw unsupported(name, `a tensor name of ${nameBytes} bytes`)
    }
    file.skip(nameBytes)
    const dimensions = await file.u32()
    if (dimensions > MAX_DIMENSIONS) {
      throw unsupported(name, `a tensor of ${dimensions} dimensions`)
    }
    let values = 1
    for (let dimension = 0; dimension < dimensions; dimension++) {
      values *= await file.u64()
    }
    if (!Number.isSafeInteger(values)) {
      throw unsupported(name, 'a tensor too large to be one')
    }
    const type = await file.u32()
    const layout = tensorLayout(type)
    if (layout === undefined) {
      throw unsupported(name, `tensor type ${type}`)
    }
    const offset = await file.u64()
    parameters += values
    dataBytes = Math.max(dataBytes, offset + Math.ceil(values / layout.blockSize) * layout.blockBytes)
  }
  return { parameters, dataBytes }
}

async function count(file: FileWindow, name: string, what: string): Promise<number> {
  const value = await file.u64()
  if (value > MAX_ENTRIES) {
    throw unsupported(name, `${value} ${what}, at most ${MAX_ENTRIES} are read`)
  }
  return value
}

function alignmentOf(metadata: GgufMetadata, name: string): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 65_536) {
    throw unsupported(name, `an alignment of ${String(alignment)}`)
  }
  return alignment
}

function scalarBytes(name: string, type: number): number {
  const bytes = SCALAR_BYTES[type]
  if (bytes === undefined) {
    throw unsupported(name, `metadata value type ${type}`)
  }
  return bytes
}

function unsupported(name: string, what: string): EnvironmentError {
  return new EnvironmentError(
    'MODEL_UNSUPPORTED',
    `${name} holds ${what}: use a GGUF file made for a current llama.cpp`
  )
}
