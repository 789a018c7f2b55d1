import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { runCanary } from './canary-run.ts'
import { LEAKY_BUILDS } from './leaky-builds.ts'
import { type Secret, textSecret } from './secret.ts'
import { TracesFound, Unremarkable } from './traces-found.ts'
import { complaintsOf, leaksOf } from './verdict.ts'

const TEXT = 'the cinnamon lanterns of Zebulon'
const SECRET = textSecret('prompt 1', TEXT)

function search(hay: Uint8Array, secret: Secret = SECRET): string[] {
  const found = new TracesFound([secret])
  found.scan(hay, 'here')
  return found.findings.map(({ form, from, to }) => `${form} ${from}-${to}`)
}

/** `bytes` at every alignment, in the middle of noise. */
function inNoise(bytes: Uint8Array | string): Uint8Array[] {
  return [0, 1, 2, 3].map(shift =>
    Buffer.concat([randomBytes(100 + shift).fill(1), Buffer.from(bytes), randomBytes(50).fill(2)])
  )
}

describe('canary search', () => {
  const forms: Array<[string, Uint8Array | string]> = [
    ['plain', TEXT],
    ['utf-16', Buffer.from(TEXT, 'utf16le')],
    ['hex', Buffer.from(TEXT).toString('hex')],
    ['HEX', Buffer.from(TEXT).toString('hex').toUpperCase()],
    ['base64+0', Buffer.from(TEXT).toString('base64')],
    ['base64+1', Buffer.from(`x${TEXT}`).toString('base64')],
    ['base64+2', Buffer.from(`xx${TEXT}`).toString('base64')]
  ]
  for (const [form, bytes] of forms) {
    it(`finds a secret as ${form}, wherever it stands`, () => {
      for (const hay of inNoise(bytes)) {
        assert.ok(
          search(hay).some(line => line.startsWith(form)),
          `${form}: ${search(hay).join()}`
        )
      }
    })
  }

  it('finds each window of ten bytes in each form, and says which it was', () => {
    for (let from = 0; from + 10 <= TEXT.length; from++) {
      const part = TEXT.slice(from, from + 10)
      assert.deepEqual(search(Buffer.from(`#${part}~`)), [`plain ${from}-${from + 10}`])
      assert.deepEqual(search(Buffer.from(part, 'utf16le')), [`utf-16 ${from}-${from + 10}`])
      for (const lead of ['', '~', '~~']) {
        const encoded = Buffer.from(`${lead}${part}`).toString('base64')
        assert.ok(
          search(Buffer.from(encoded)).some(line => line.startsWith('base64')),
          encoded
        )
      }
    }
  })

  it('finds a key among random bytes, and nothing among others', () => {
    const bytes = randomBytes(32)
    const key = { name: 'response key 1', bytes }
    for (const hay of inNoise(bytes)) {
      assert.deepEqual(search(hay, key), ['plain 0-32'])
    }
    assert.deepEqual(search(randomBytes(1e6), key), [])
    assert.deepEqual(search(Buffer.from(TEXT.slice(0, 9))), [])
  })

  it('takes texts beyond ASCII as UTF-16 too', () => {
    const text = 'Ærø – überall, 日本語のランタン'
    const hay = Buffer.from(`--${text}--`, 'utf16le')
    assert.deepEqual(search(hay, textSecret('prompt 1', text)), [`utf-16 0-${Buffer.byteLength(text)}`])
  })

  it('leaves out what stands elsewhere by itself, in the form it has there, and nothing more', () => {
    const [plain, hex] = [new TracesFound([SECRET]), new TracesFound([SECRET])]
    plain.scan(Buffer.from('xx cinnamon lan xx'), 'control')
    const ordinary = new Unremarkable()
    ordinary.add(plain.findings)
    assert.equal(ordinary.excluded('prompt 1'), 4)
    assert.deepEqual(ordinary.remarkable(plain.findings), [])
    hex.scan(Buffer.from(Buffer.from('cinnamon lan').toString('hex')), 'host')
    assert.equal(ordinary.remarkable(hex.findings).length, 1)
    const more = new TracesFound([SECRET])
    more.scan(Buffer.from('xx cinnamon lant xx'), 'host')
    assert.equal(ordinary.remarkable(more.findings).length, 1)
  })
})

describe("a provider's host process", function () {
  this.timeout(120_000)

  before(function () {
    if (process.platform !== 'linux') {
      console.log('      SKIPPED: memory of another process is read through /proc, which this system has not')
      this.skip()
    }
  })

  it('holds nothing of questions, answers and their keys, in memory, files, logs or traffic', async () => {
    assert.deepEqual(complaintsOf(await runCanary({ control: true })), [])
  })

  it('is caught holding ten bytes in hex', async () => {
    const build = LEAKY_BUILDS.find(({ init }) => init.leaky === 'leaky-part-main.js')
    assert.ok(build)
    const { init, secret, form, where } = build
    const leaks = leaksOf(await runCanary({ ...init, questions: 1 }))
    assert.ok(leaks.some(leak => secret.test(leak.secret) && form.test(leak.form) && where.test(leak.where)))
  })
})
