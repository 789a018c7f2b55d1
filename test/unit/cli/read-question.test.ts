import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import type { InputStream } from '../../../src/cli/io.ts'
import { MAX_QUESTION_BYTES, readQuestion } from '../../../src/cli/read-question.ts'
import { CancelledError } from '../../../src/core/errors.ts'

const never = new AbortController().signal

function piped(...chunks: Array<string | Uint8Array>): InputStream {
  return Readable.from(chunks.map(chunk => Buffer.from(chunk)))
}

describe('the question', () => {
  it('is the words, and stdin is not read', async () => {
    const stdin = piped('not this')
    assert.equal(await readQuestion(['What', 'is', 'this?'], stdin, never), 'What is this?')
    assert.equal(stdin.readableDidRead, false)
  })

  it('is stdin for a hyphen and for a pipe, without its last line feed', async () => {
    assert.equal(await readQuestion(['-'], piped('a\n', 'b\n\n'), never), 'a\nb\n')
    assert.equal(await readQuestion([], piped('a\r\n'), never), 'a')
  })

  it('may be cut anywhere by the pipe, inside a character too', async () => {
    const [first, ...rest] = Buffer.from('👋 Grüße')
    assert.equal(await readQuestion(['-'], piped(Uint8Array.of(first ?? 0), Uint8Array.from(rest)), never), '👋 Grüße')
  })

  it('is never empty', async () => {
    const terminal: InputStream = Object.assign(new PassThrough(), { isTTY: true })
    await assert.rejects(readQuestion([], terminal, never), { code: 'QUESTION_EMPTY' })
    await assert.rejects(readQuestion(['', ' '], terminal, never), { code: 'QUESTION_EMPTY' })
    await assert.rejects(readQuestion(['-'], piped('\n'), never), { code: 'QUESTION_EMPTY' })
  })

  it('is bounded, however much the pipe has', async () => {
    const block = Buffer.alloc(64 * 1024, 'a')
    let made = 0
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        made += block.byteLength
        yield block
      }
    }
    await assert.rejects(readQuestion(['-'], Readable.from(endless()), never), { code: 'QUESTION_TOO_LARGE' })
    assert.ok(made <= 2 * MAX_QUESTION_BYTES + 64 * block.byteLength, `${made} bytes were read`)
    await assert.rejects(readQuestion(['a'.repeat(MAX_QUESTION_BYTES + 1)], piped(), never), {
      code: 'QUESTION_TOO_LARGE'
    })
  })

  it('is text', async () => {
    await assert.rejects(readQuestion(['-'], piped(Uint8Array.of(0x66, 0xff)), never), { code: 'QUESTION_NOT_TEXT' })
  })

  it('is not waited for after Ctrl-C', async () => {
    const controller = new AbortController()
    const waiting = readQuestion(['-'], new PassThrough(), controller.signal)
    controller.abort(new CancelledError())
    await assert.rejects(waiting, { code: 'CANCELLED' })
  })
})
