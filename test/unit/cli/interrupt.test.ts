import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { Interrupt } from '../../../src/cli/interrupt.ts'

class FakeProcess extends EventEmitter {
  readonly exits: number[] = []

  exit(code: number): void {
    this.exits.push(code)
  }
}

describe('Ctrl-C', () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    it(`ends in order at the first ${signal} and at once at the second`, () => {
      const process = new FakeProcess()
      let notes = 0
      const interrupt = new Interrupt(process, () => notes++)
      assert.equal(interrupt.signal.aborted, false)
      process.emit(signal)
      assert.equal(interrupt.signal.aborted, true)
      assert.deepEqual([notes, process.exits], [1, []])
      process.emit('SIGINT')
      assert.deepEqual([notes, process.exits], [1, [130]])
    })
  }

  it("is the caller's own again after the command", () => {
    const process = new FakeProcess()
    new Interrupt(process, () => undefined).dispose()
    assert.deepEqual(process.eventNames(), [])
  })
})
