import assert from 'node:assert/strict'
import { enclaveBundle } from '../../src/enclave/index.ts'
import { differences } from './clean-build.ts'

describe('the digests of two builds of the enclave program', () => {
  it('names the file that makes two builds differ', () => {
    const { listing } = enclaveBundle()
    const changed = listing.replace(/(file core\/bytes\.js )./, '$1x')
    const lines = differences(listing, changed)
    assert.equal(lines.length, 2)
    assert.ok(lines.every(line => /^[-+] file core\/bytes\.js /.test(line)))
  })
})
