import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Cell } from '@ton/core'
import { runTolkCompiler } from '@ton/tolk-js'
import { CHANNEL_CODE_BOC, CHANNEL_CODE_HASH } from '../../src/ton/channel-code.ts'
import { CHANNEL_EXIT_CODES } from '../../src/ton/channel-contract.ts'
import { findUp } from './find-up.ts'

const source = readFileSync(findUp('contracts/channel.tolk'), 'utf8')

describe('pinned channel code', () => {
  it('is what contracts/channel.tolk compiles to', async () => {
    const compiled = await runTolkCompiler({ entrypointFileName: 'channel.tolk', fsReadCallback: () => source })
    assert.ok(compiled.status === 'ok', compiled.status === 'error' ? compiled.message : '')
    assert.equal(compiled.codeHashHex.toLowerCase(), CHANNEL_CODE_HASH)
    assert.equal(Cell.fromBase64(CHANNEL_CODE_BOC).hash().toString('hex'), CHANNEL_CODE_HASH)
  })

  it('names every exit code that the source has', () => {
    const inSource = [...source.matchAll(/^const ERR_\w+ = (\w+)$/gm)].map(match => Number(match[1]))
    assert.ok(inSource.length > 10)
    assert.deepEqual(inSource, Object.values(CHANNEL_EXIT_CODES))
  })
})
