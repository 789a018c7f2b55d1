import assert from 'node:assert/strict'
import { patientLookup } from '../../../src/client/patient-lookup.ts'
import { type AbortOptions, throwIfAborted } from '../../../src/core/abort.ts'
import { NetworkError, PeerError } from '../../../src/core/errors.ts'

/** Looks that fail in turn, each taking some time; then one that finds something. */
function looks(failures: readonly Error[], tookMs: number) {
  const left = [...failures]
  const state = { nowMs: 1_000, pauses: 0, looked: 0 }
  const look = async (): Promise<string> => {
    state.looked++
    state.nowMs += tookMs
    const failure = left.shift()
    if (failure !== undefined) {
      throw failure
    }
    return 'found'
  }
  const sleep = async (ms: number, { signal }: AbortOptions = {}): Promise<void> => {
    throwIfAborted(signal)
    state.pauses++
    state.nowMs += ms
  }
  return { state, look, components: { clock: { nowMs: () => state.nowMs }, sleep } }
}

const missing = new NetworkError('CAPACITY_NOT_FOUND', 'x')

describe('patient lookup', () => {
  it('looks again where nobody is found yet', async () => {
    const { state, look, components } = looks([missing, new NetworkError('NO_PROVIDERS', 'x')], 10)
    assert.equal(await patientLookup(look, components), 'found')
    assert.deepEqual([state.looked, state.pauses], [3, 2])
  })

  it('gives up after some seconds, with what the last look said', async () => {
    const { state, look, components } = looks(
      Array.from({ length: 100 }, () => missing),
      300
    )
    await assert.rejects(patientLookup(look, components), missing)
    assert.ok(state.nowMs > 6_000 && state.nowMs < 8_000, `${state.nowMs}`)
  })

  it('does not look again where something else is wrong', async () => {
    for (const failure of [new NetworkError('NO_PEERS', 'x'), new PeerError('PEER_SILENT', 'x'), new Error('x')]) {
      const { state, look, components } = looks([failure], 10)
      await assert.rejects(patientLookup(look, components), failure)
      assert.equal(state.looked, 1)
    }
  })

  it('ends when it is aborted between two looks', async () => {
    const { state, look, components } = looks([missing, missing], 10)
    const stop = new AbortController()
    const aborting = async (): Promise<string> => {
      stop.abort(new Error('enough'))
      return look()
    }
    await assert.rejects(patientLookup(aborting, components, { signal: stop.signal }), { code: 'CANCELLED' })
    assert.equal(state.looked, 1)
  })
})
