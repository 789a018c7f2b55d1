import assert from 'node:assert/strict'
import { jsonLine, Output } from '../../../src/cli/output.ts'
import { fakeIo } from './fake-io.ts'

describe('output', () => {
  it('keeps every digit of an amount in JSON', () => {
    assert.equal(
      jsonLine({ costNano: 2n ** 100n, list: [1n] }),
      '{"costNano":"1267650600228229401496703205376","list":["1"]}\n'
    )
  })

  it('puts results on stdout and notes on stderr', () => {
    const io = fakeIo()
    const output = new Output(io, false)
    output.note('on the way')
    output.result({ a: 1 }, () => 'text')
    assert.equal(io.stdout.text, 'text\n')
    assert.equal(io.stderr.text, 'on the way\n')
  })

  it('prints one object a line on both with --json', () => {
    const io = fakeIo()
    const output = new Output(io, true)
    output.note('on\nthe way')
    output.result({ a: 'x\ny' }, () => 'text')
    assert.deepEqual(io.stdout.objects(), [{ a: 'x\ny' }])
    assert.deepEqual(io.stderr.objects(), [{ note: 'on\nthe way' }])
  })

  it('keeps escape sequences of an answer from a terminal, and leaves them to a pipe', () => {
    const [terminal, pipe] = [fakeIo(), fakeIo()]
    terminal.stdout.isTTY = true
    new Output(terminal, false).stream('a\u001b[2J')
    new Output(pipe, false).stream('a\u001b[2J')
    assert.equal(terminal.stdout.text, 'a\ufffd[2J')
    assert.equal(pipe.stdout.text, 'a\u001b[2J')
  })
})
