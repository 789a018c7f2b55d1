import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatRawAddress, parseRawAddress } from '../../../src/core/address.ts'
import { type ChannelTerms, channelAddress } from '../../../src/ton/channel-address.ts'
import { ChannelContract } from '../../../src/ton/channel-contract.ts'

const terms: ChannelTerms = {
  globalId: -217,
  payerKey: new Uint8Array(32).fill(1),
  payerAddress: `0:${'11'.repeat(32)}`,
  payeeKey: new Uint8Array(32).fill(2),
  payeeAddress: `0:${'22'.repeat(32)}`,
  salt: 5n,
  challengeSeconds: 3600
}

describe('channel address', () => {
  it('differs as soon as any term does', () => {
    const changes: Array<Partial<ChannelTerms>> = [
      {},
      { globalId: -239 },
      { payerKey: new Uint8Array(32).fill(3) },
      { payerAddress: `0:${'33'.repeat(32)}` },
      { payeeKey: new Uint8Array(32).fill(3) },
      { payeeAddress: `0:${'33'.repeat(32)}` },
      { salt: 6n },
      { challengeSeconds: 3601 }
    ]
    const addresses = changes.map(change => channelAddress({ ...terms, ...change }))
    assert.equal(new Set(addresses).size, changes.length)
    assert.equal(addresses[0], ChannelContract.fromTerms(terms).address.toRawString())
  })

  it('refuses terms that do not fit', () => {
    const bad: Array<Partial<ChannelTerms>> = [
      { payerKey: new Uint8Array(31) },
      { payeeKey: new Uint8Array(33) },
      { payerAddress: `-1:${'11'.repeat(32)}` },
      { payeeAddress: 'EQDxJMYpNd_GqshhMPTGFZcGZTsWj6Vgtak5aIpXjNZE4Oqo' },
      { salt: -1n },
      { salt: 1n << 64n },
      { globalId: 2 ** 31 },
      { challengeSeconds: 0 },
      { challengeSeconds: 1.5 },
      { challengeSeconds: 31_536_001 }
    ]
    for (const change of bad) {
      assert.throws(() => channelAddress({ ...terms, ...change }), { code: 'CHANNEL_TERMS_INVALID' })
    }
  })
})

describe('raw address', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, -1), fc.uint8Array({ minLength: 32, maxLength: 32 }), (workchain, hash) => {
        assert.deepEqual(parseRawAddress(formatRawAddress({ workchain, hash })), { workchain, hash })
      })
    )
  })

  it('takes one spelling only', () => {
    for (const text of [
      '',
      `0:${'A'.repeat(64)}`,
      `1:${'a'.repeat(64)}`,
      `0:${'a'.repeat(63)}`,
      `0:${'a'.repeat(64)} `,
      `00:${'a'.repeat(64)}`
    ]) {
      assert.throws(() => parseRawAddress(text), { code: 'ADDRESS_INVALID' })
    }
  })
})
