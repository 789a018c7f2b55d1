import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Cell } from '@ton/core'
import { MAX_CHALLENGE_SECONDS } from '../../src/ton/channel-address.ts'
import { CHANNEL_CODE_BOC, CHANNEL_CODE_HASH } from '../../src/ton/channel-code.ts'
import { CHANNEL_EXIT_CODES, CHANNEL_OPS } from '../../src/ton/channel-contract.ts'
import { findUp } from './find-up.ts'
import { compileChannel, PINNED_FILE, pinnedModule } from './pin-channel.ts'

const source = readFileSync(findUp('contracts/channel.tolk'), 'utf8')

describe('pinned channel code', () => {
  it('is what contracts/channel.tolk compiles to', async () => {
    const compiled = await compileChannel()
    assert.equal(compiled.hash, CHANNEL_CODE_HASH)
    assert.equal(Cell.fromBase64(CHANNEL_CODE_BOC).hash().toString('hex'), CHANNEL_CODE_HASH)
    assert.equal(readFileSync(findUp(PINNED_FILE), 'utf8'), pinnedModule(compiled))
  })

  it('names every exit code that the source has', () => {
    const inSource = [...source.matchAll(/^const ERR_\w+ = (\w+)$/gm)].map(match => Number(match[1]))
    assert.ok(inSource.length > 10)
    assert.deepEqual(inSource, Object.values(CHANNEL_EXIT_CODES))
  })

  it('names every exit code in contracts/README.md', () => {
    const page = readFileSync(findUp('contracts/README.md'), 'utf8')
    const rows = [...page.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map(([, code, name]) => [name, Number(code)])
    assert.deepEqual(Object.fromEntries(rows), CHANNEL_EXIT_CODES)
  })

  it('has the tags, fields and bounds that the TL-B scheme and the wrappers have', () => {
    const scheme = readFileSync(findUp('contracts/channel.tlb'), 'utf8')
    const inScheme = [...scheme.matchAll(/^(\w+)#(\w+)([^=]*)= (\w+);/gm)].map(([, , tag, fields]) =>
      `${tag} ${fields}`.replaceAll(/\s+/g, ' ').trim()
    )
    const inSource = [...source.matchAll(/^struct (?:\(0x(\w+)\) )?\w+ \{([^}]*)\}/gm)].map(
      ([, tag = '_', fields = '']) =>
        `${tag} ${fields.replaceAll(/: ([\w<>]+)/g, (_, type: string) => `:${TLB_TYPES[type] ?? type}`)}`
          .replaceAll(/\s+/g, ' ')
          .trim()
    )
    assert.equal(inSource.length, 9)
    assert.deepEqual(new Set(inScheme), new Set(inSource))
    for (const op of Object.values(CHANNEL_OPS)) {
      assert.ok(inSource.some(line => line.startsWith(op.toString(16))))
    }
    assert.match(source, /^const MAX_CHALLENGE_SECONDS = 365 \* 86400$/m)
    assert.equal(MAX_CHALLENGE_SECONDS, 365 * 86_400)
  })
})

/** Tolk's names of types that TL-B calls otherwise. */
const TLB_TYPES: Readonly<Record<string, string>> = {
  coins: 'Coins',
  address: 'MsgAddressInt',
  uint256: 'bits256',
  'Cell<Parties>': '^Parties'
}
