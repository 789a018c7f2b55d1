import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { readTextLines, type TextLine } from '../../../../src/cli/batch/text-lines.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'

describe('lines of a file', () => {
  const folder = useTempFolder()

  async function linesOf(content: string | Uint8Array, maxBytes = 1000): Promise<TextLine[]> {
    const path = join(folder(), 'file')
    await writeFile(path, content)
    const lines: TextLine[] = []
    for await (const line of readTextLines(path, maxBytes)) {
      lines.push(line)
    }
    return lines
  }

  it('are those between its line feeds, with number and offset', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: fc.constantFrom('a', '\n', 'é', '👋', '\r') })), async parts => {
        const content = parts.join('')
        const expected = content.split('\n')
        const rest = expected.pop() ?? ''
        const all = rest === '' ? expected : [...expected, rest]
        const lines = await linesOf(content)
        assert.deepEqual(
          lines.map(({ text }) => text),
          all
        )
        assert.deepEqual(
          lines.map(({ number }) => number),
          all.map((_, index) => index + 1)
        )
        assert.equal(lines.at(-1)?.terminated ?? true, rest === '')
        for (const { start, text } of lines) {
          assert.equal(
            Buffer.from(content)
              .subarray(start, start + Buffer.byteLength(text ?? ''))
              .toString(),
            text
          )
        }
      }),
      { numRuns: 50 }
    )
  })

  it('are read over the chunks of a large file', async () => {
    const content = Array.from({ length: 10_000 }, (_, index) => `line ${index} é`).join('\n')
    assert.deepEqual(
      (await linesOf(content)).map(({ text }) => text),
      content.split('\n')
    )
  })

  it('are not kept beyond their limit, and do not stop the next', async () => {
    const lines = await linesOf(`${'x'.repeat(200_000)}\nok`, 10)
    assert.deepEqual(
      lines.map(({ text, fault, start }) => ({ text, fault, start })),
      [
        { text: undefined, fault: 'too-long', start: 0 },
        { text: 'ok', fault: undefined, start: 200_001 }
      ]
    )
  })

  it('are refused one by one where they are no UTF-8', async () => {
    const lines = await linesOf(Buffer.concat([Buffer.from([0xff, 0x0a]), Buffer.from('ok\n')]))
    assert.deepEqual(
      lines.map(({ fault }) => fault),
      ['not-utf-8', undefined]
    )
  })
})
