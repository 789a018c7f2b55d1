import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHex } from '../../../src/core/bytes.ts'
import { checkModelFile, defaultModelPath, modelDigest } from '../../../src/inference/index.ts'

describe('model file', () => {
  let folder: string
  let pocket: Buffer

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cocoon-model-'))
    pocket = await readFile(defaultModelPath())
  })
  after(() => rm(folder, { recursive: true }))

  async function check(bytes: Uint8Array): Promise<string> {
    const path = join(folder, 'model.gguf')
    await writeFile(path, bytes)
    return checkModelFile(path).then(
      () => 'ok',
      (err: { code: string }) => err.code
    )
  }

  it('reads what the shipped model says of itself', async () => {
    const { sizeBytes, path, chatTemplate, ...rest } = await checkModelFile(defaultModelPath())
    assert.equal(sizeBytes, pocket.byteLength)
    assert.equal(path, defaultModelPath())
    assert.match(chatTemplate ?? '', /im_start/)
    assert.deepEqual(rest, {
      name: 'Cocoon Pocket 2M',
      architecture: 'llama',
      quantization: 'Q8_0',
      contextTokens: 1024,
      parameters: 1_967_808
    })
  })

  it('hashes the file as published', async () => {
    assert.equal(
      toHex(await modelDigest(defaultModelPath())),
      '1a722118156a15407587cdada6df2ddac6231a4476f3244556896cc4ef779f40'
    )
  })

  it('names a missing file and a folder', async () => {
    await assert.rejects(checkModelFile(join(folder, 'absent.gguf')), { code: 'MODEL_NOT_FOUND' })
    await assert.rejects(modelDigest(join(folder, 'absent.gguf')), { code: 'MODEL_NOT_FOUND' })
    await assert.rejects(checkModelFile(folder), { code: 'MODEL_NOT_GGUF' })
  })

  it('refuses what is no GGUF', async () => {
    assert.equal(await check(Buffer.from('PK\x03\x04 not a model at all')), 'MODEL_NOT_GGUF')
    assert.equal(await check(Buffer.alloc(0)), 'MODEL_NOT_GGUF')
  })

  it('finds every cut, from the last byte of the last tensor to inside the header', async () => {
    for (const bytes of [pocket.byteLength - 32, pocket.byteLength - 1000, 1_000_000, 60_000, 100, 24, 5, 4]) {
      assert.equal(await check(pocket.subarray(0, bytes)), 'MODEL_TRUNCATED', `${bytes} bytes`)
    }
    assert.equal(await check(pocket), 'ok')
  })

  it('refuses versions and tensor types that llama.cpp does not know', async () => {
    const version = Buffer.from(pocket)
    version.writeUInt32LE(1, 4)
    assert.equal(await check(version), 'MODEL_UNSUPPORTED')
    const bigEndian = Buffer.from(pocket)
    bigEndian.writeUInt32BE(3, 4)
    assert.equal(await check(bigEndian), 'MODEL_UNSUPPORTED')
    const type = Buffer.from(pocket)
    const name = type.indexOf('output_norm.weight')
    // After the name: one dimension count, one dimension, then the type.
    type.writeUInt32LE(4, name + 'output_norm.weight'.length + 4 + 8)
    assert.equal(await check(type), 'MODEL_UNSUPPORTED')
  })

  it('refuses absurd counts and lengths without trying to read them', async () => {
    const absurd = [8, 16].map(offset => {
      const bytes = Buffer.from(pocket)
      bytes.writeBigUInt64LE(2n ** 60n, offset)
      return bytes
    })
    for (const bytes of absurd) {
      assert.equal(await check(bytes), 'MODEL_UNSUPPORTED')
    }
    const key = Buffer.from(pocket)
    key.writeBigUInt64LE(2n ** 63n, 24)
    assert.equal(await check(key), 'MODEL_UNSUPPORTED')
  })

  it('refuses one part of a split model', async () => {
    const split = Buffer.concat([
      pocket.subarray(0, 16),
      u64(pocket.readBigUInt64LE(16) + 1n),
      u64(BigInt('split.count'.length)),
      Buffer.from('split.count'),
      Buffer.from([2, 0, 0, 0, 3, 0]),
      pocket.subarray(24),
      Buffer.alloc(64)
    ])
    assert.equal(await check(split), 'MODEL_UNSUPPORTED')
  })
})

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}
