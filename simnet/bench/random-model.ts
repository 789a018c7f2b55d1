import { open, readFile } from 'node:fs/promises'
import { endianness } from 'node:os'

/**
 * Shape of a made-up llama. Its weights are noise, so it answers nonsense at the speed of a real model of its size, and
 * hardly ever ends an answer by itself.
 */
const SHAPE = { embedding: 512, blocks: 6, feedForward: 1408, heads: 8 }

/** Metadata that the shape replaces; everything else, the tokenizer and the chat template too, is the source's. */
const REPLACED: Readonly<Record<string, number>> = {
  'llama.embedding_length': SHAPE.embedding,
  'llama.block_count': SHAPE.blocks,
  'llama.feed_forward_length': SHAPE.feedForward,
  'llama.attention.head_count': SHAPE.heads,
  'llama.attention.head_count_kv': SHAPE.heads,
  'llama.rope.dimension_count': SHAPE.embedding / SHAPE.heads,
  'general.file_type': 0
}

// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: value types and their sizes, and the F32 tensor type.
const SIZES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }
const UINT32 = 4
const STRING = 8
const ARRAY = 9
const F32 = 0
const ALIGNMENT = 32

interface TensorPlan {
  name: string
  /** Fastest-running dimension first. */
  dimensions: number[]
}

/** Writes a GGUF of about 21 million random F32 weights with the tokenizer of the GGUF at `sourcePath`. */
export async function writeRandomModel(sourcePath: string, targetPath: string): Promise<void> {
  if (endianness() !== 'LE') {
    throw new Error('GGUF is little-endian and so must this machine be')
  }
  const { metadata, pairs, vocabulary } = readMetadata(await readFile(sourcePath))
  const tensors = planTensors(vocabulary)
  const header = Buffer.concat([preamble(tensors.length, pairs), metadata, ...describe(tensors)])
  const file = await open(targetPath, 'w')
  try {
    await file.write(pad(header))
    for (const tensor of tensors) {
      await file.write(pad(weights(tensor)))
    }
  } finally {
    await file.close()
  }
}

function preamble(tensors: number, pairs: bigint): Buffer {
  const bytes = Buffer.alloc(24)
  bytes.write('GGUF')
  bytes.writeUInt32LE(3, 4)
  bytes.writeBigUInt64LE(BigInt(tensors), 8)
  bytes.writeBigUInt64LE(pairs, 16)
  return bytes
}

/** The source's metadata with our shape written over its own. */
function readMetadata(source: Buffer): { metadata: Buffer; pairs: bigint; vocabulary: number } {
  const pairs = source.readBigUInt64LE(16)
  let at = 24
  let vocabulary = 0
  const text = (): string => {
    const length = Number(source.readBigUInt64LE(at))
    at += 8 + length
    return source.toString('utf8', at - length, at)
  }
  const skip = (type: number): void => {
    if (type === STRING) {
      text()
    } else {
      at += SIZES[type] ?? Number.NaN
    }
  }
  for (let pair = 0n; pair < pairs; pair++) {
    const key = text()
    const type = source.readUInt32LE(at)
    at += 4
    const replacement = REPLACED[key]
    if (replacement !== undefined && type === UINT32) {
      source.writeUInt32LE(replacement, at)
    }
    if (type !== ARRAY) {
      skip(type)
      continue
    }
    const itemType = source.readUInt32LE(at)
    const count = Number(source.readBigUInt64LE(at + 4))
    at += 12
    vocabulary = key === 'tokenizer.ggml.tokens' ? count : vocabulary
    for (let item = 0; item < count; item++) {
      skip(itemType)
    }
  }
  return { metadata: source.subarray(24, at), pairs, vocabulary }
}

function planTensors(vocabulary: number): TensorPlan[] {
  const { embedding, blocks, feedForward } = SHAPE
  const square = [embedding, embedding]
  const block = (at: number): TensorPlan[] => [
    { name: `blk.${at}.attn_norm.weight`, dimensions: [embedding] },
    { name: `blk.${at}.attn_q.weight`, dimensions: square },
    { name: `blk.${at}.attn_k.weight`, dimensions: square },
    { name: `blk.${at}.attn_v.weight`, dimensions: square },
    { name: `blk.${at}.attn_output.weight`, dimensions: square },
    { name: `blk.${at}.ffn_norm.weight`, dimensions: [embedding] },
    { name: `blk.${at}.ffn_gate.weight`, dimensions: [embedding, feedForward] },
    { name: `blk.${at}.ffn_up.weight`, dimensions: [embedding, feedForward] },
    { name: `blk.${at}.ffn_down.weight`, dimensions: [feedForward, embedding] }
  ]
  return [
    { name: 'token_embd.weight', dimensions: [embedding, vocabulary] },
    ...Array.from({ length: blocks }, (_, at) => block(at)).flat(),
    { name: 'output_norm.weight', dimensions: [embedding] },
    { name: 'output.weight', dimensions: [embedding, vocabulary] }
  ]
}

function describe(tensors: readonly TensorPlan[]): Buffer[] {
  let offset = 0n
  return tensors.map(({ name, dimensions }) => {
    const bytes = Buffer.alloc(8 + name.length + 4 + 8 * dimensions.length + 4 + 8)
    let at = bytes.writeBigUInt64LE(BigInt(name.length))
    at += bytes.write(name, at)
    at = bytes.writeUInt32LE(dimensions.length, at)
    for (const dimension of dimensions) {
      at = bytes.writeBigUInt64LE(BigInt(dimension), at)
    }
    at = bytes.writeUInt32LE(F32, at)
    bytes.writeBigUInt64LE(offset, at)
    offset += BigInt(Math.ceil((4 * elements(dimensions)) / ALIGNMENT) * ALIGNMENT)
    return bytes
  })
}

/** Norms of one; everything else small noise of a fixed generator, so that every run has the same model. */
function weights({ dimensions }: TensorPlan): Buffer {
  const values = new Float32Array(elements(dimensions)).fill(1)
  if (dimensions.length > 1) {
    let state = 0x9e3779b9
    for (let at = 0; at < values.length; at++) {
      // xorshift32
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      values[at] = (state / 2 ** 31) * 0.06
    }
  }
  return Buffer.from(values.buffer)
}

function elements(dimensions: readonly number[]): number {
  return dimensions.reduce((product, dimension) => product * dimension, 1)
}

function pad(bytes: Buffer): Buffer {
  const rest = bytes.byteLength % ALIGNMENT
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(ALIGNMENT - rest)])
}
