import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DEFAULT_MODEL } from '../../../src/core/default-model.ts'
import { packageInfo } from '../../../src/core/package-info.ts'
import { projectRoot } from '../../support/shared-data.ts'

describe('package info', () => {
  it('finds the package that the compiled files belong to', () => {
    const { root, version } = packageInfo()
    assert.equal(root, projectRoot())
    assert.match(version, /^\d+\.\d+\.\d+/)
  })

  it('ships the model that clients ask for by default', async () => {
    const hash = createHash('sha256')
    await pipeline(createReadStream(join(packageInfo().root, 'models/pocket/pocket.gguf')), hash)
    assert.equal(hash.digest('hex'), DEFAULT_MODEL.digestHex)
  })
})
