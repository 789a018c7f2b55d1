import assert from 'node:assert/strict'
import { Address } from '@ton/core'
import fc from 'fast-check'
import { accountAddress } from '../../../src/cli/account-address.ts'

describe('the address of an account', () => {
  const read = accountAddress('The address')
  const account = fc.record({
    workChain: fc.constantFrom(0, -1),
    hash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hash => Buffer.from(hash))
  })
  const form = fc.record({ urlSafe: fc.boolean(), bounceable: fc.boolean(), testOnly: fc.boolean() })

  it('is read raw, in either case', () => {
    const address = `0:${'ab'.repeat(32)}`
    assert.deepEqual(read(address.toUpperCase()), { address, isTestOnly: false })
  })

  it('is read in every form that wallets show', () => {
    fc.assert(
      fc.property(account, form, ({ workChain, hash }, options) => {
        const address = new Address(workChain, hash)
        assert.deepEqual(read(address.toString(options)), {
          address: address.toRawString(),
          isTestOnly: options.testOnly
        })
      })
    )
  })

  it('is refused with any one character changed', () => {
    fc.assert(
      fc.property(
        account,
        form,
        fc.nat(47),
        fc.constantFrom('A', 'z', '0', 'b'),
        ({ workChain, hash }, options, at, char) => {
          const text = new Address(workChain, hash).toString(options)
          fc.pre(text[at] !== char)
          assert.throws(() => read(text.slice(0, at) + char + text.slice(at + 1)), { code: 'ADDRESS_INVALID' })
        }
      )
    )
  })

  it('is refused when it is anything else', () => {
    for (const text of ['', 'EQabc', '0:12', `-2:${'ab'.repeat(32)}`, 'x'.repeat(48), 'é'.repeat(48), 'alice.ton']) {
      assert.throws(() => read(text), { code: 'ADDRESS_INVALID' }, text)
    }
  })
})
