import assert from 'node:assert/strict'
import { EXIT_CODES } from '../../src/core/errors.ts'
import { documentedCodes, promisedCodes, thrownCodes } from './error-codes.ts'
import { listSources, readSource } from './source-tree.ts'

const PAGE = 'docs/errors.md'

function thrownIn(text: string): string[] {
  return thrownCodes([{ file: 'src/a.ts', text }]).map(({ code, errorClass }) => `${errorClass} ${code}`)
}

describe('error codes', () => {
  const sources = listSources('src', 'simnet').map(file => ({ file, text: readSource(file) }))
  const thrown = thrownCodes(sources)
  const documented = documentedCodes(readSource(PAGE))
  const listed = new Map(documented.map(row => [row.code, row]))

  it(`that are thrown are all in ${PAGE}`, () => {
    assert.ok(thrown.length > 100, `only ${thrown.length} found`)
    const missing = thrown.filter(({ code }) => !listed.has(code))
    assert.deepEqual(new Set(missing.map(({ code, file }) => `${code} (${file})`)), new Set())
  })

  it(`that comments promise are all in ${PAGE}`, () => {
    const missing = sources.flatMap(({ file, text }) =>
      promisedCodes(text)
        .filter(code => !listed.has(code))
        .map(code => `${code} (${file})`)
    )
    assert.deepEqual(new Set(missing), new Set())
  })

  it(`in ${PAGE} are all in the sources`, () => {
    const known = new Set([...thrown.map(({ code }) => code), ...sources.flatMap(({ text }) => promisedCodes(text))])
    const literal = (code: string) => sources.some(({ text }) => text.includes(`'${code}'`))
    assert.deepEqual(
      documented.map(({ code }) => code).filter(code => !known.has(code) && !literal(code)),
      []
    )
  })

  it(`have the class in ${PAGE} that they are thrown with`, () => {
    const wrong = thrown.filter(
      ({ code, errorClass }) =>
        errorClass !== undefined && !(listed.get(code)?.errorClass.split(', ') ?? [errorClass]).includes(errorClass)
    )
    assert.deepEqual(
      wrong.map(
        ({ code, errorClass, file }) =>
          `${code} is ${errorClass} in ${file}, ${listed.get(code)?.errorClass} in ${PAGE}`
      ),
      []
    )
  })

  it('are explained once each, with something to do', () => {
    assert.equal(listed.size, documented.length, 'a code stands twice')
    for (const { code, errorClass, meaning, whatToDo } of documented) {
      assert.ok(
        errorClass.split(', ').every(name => name in EXIT_CODES),
        `${code}: class ${errorClass}`
      )
      assert.ok(meaning.length > 10 && whatToDo.length > 5, code)
    }
  })

  it('are found in every way they are given', () => {
    assert.deepEqual(thrownIn(`throw new UsageError('A_B', 'x')`), ['usage A_B'])
    assert.deepEqual(thrownIn(`throw new CocoonError('money', 'A_B', 'C_D')`), ['money A_B'])
    assert.deepEqual(thrownIn(`new PeerError(late ? 'A_B' : 'C_D', 'x')`), ['peer A_B', 'peer C_D'])
    assert.deepEqual(thrownIn(`const T = { a: 'A_B', b: 'C_D' } as const; new MoneyError(T[x] ?? 'E', 'x')`), [
      'money A_B',
      'money C_D',
      'money E'
    ])
    assert.deepEqual(
      thrownIn(
        `class XError extends YError { constructor() { super('A_B', 'x') } } class YError extends NetworkError {}`
      ),
      ['network A_B']
    )
    assert.deepEqual(
      thrownIn("class R extends WireError { constructor(c: string) { super('money', c, 'x') } } new R('A_B')"),
      ['money A_B']
    )
    assert.deepEqual(
      thrownIn("function no(why: string) { return new PeerError(`A_${why}`, 'x') } throw no(late ? 'B' : 'C_D')"),
      ['peer A_B', 'peer A_C_D']
    )
    assert.deepEqual(thrownIn(`throw new TypeError('A_B'); class Z extends Map { constructor() { super('C_D') } }`), [])
  })

  it('are found in the tags of comments only', () => {
    assert.deepEqual(
      promisedCodes('/** x `A_B`\n * @throws {UsageError} `C_D` or\n *   `E_F`, late\n * @param a `G_H` */ `I_J`'),
      ['C_D', 'E_F']
    )
  })
})
