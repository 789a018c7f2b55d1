import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { newPassphrase, withPassphrase } from '../../../src/cli/prompt-passphrase.ts'
import { UsageError } from '../../../src/core/errors.ts'
import { fakeIo, Keyboard } from './fake-io.ts'

/** Opens with `secret` only. */
async function lock(passphrase: string | undefined): Promise<string> {
  if (passphrase === undefined) {
    throw new UsageError('KEY_NEEDS_PASSPHRASE', 'locked')
  }
  if (passphrase !== 'secret') {
    throw new UsageError('KEY_WRONG_PASSPHRASE', 'wrong')
  }
  return 'open'
}

describe('the passphrase', () => {
  it('is not asked for where none is needed', async () => {
    assert.equal(await withPassphrase(fakeIo(), async passphrase => String(passphrase)), 'undefined')
  })

  it('comes from $COCOON_PASSPHRASE', async () => {
    assert.equal(await withPassphrase(fakeIo({ env: { COCOON_PASSPHRASE: 'secret' } }), lock), 'open')
    await assert.rejects(withPassphrase(fakeIo({ env: { COCOON_PASSPHRASE: 'other' } }), lock), {
      code: 'KEY_WRONG_PASSPHRASE'
    })
  })

  it('is typed without being shown, with a way to mend it', async () => {
    const keyboard = new Keyboard()
    const io = fakeIo({ stdin: keyboard })
    const opened = withPassphrase(io, lock)
    await keyboard.type('wrong\u0015sekret\b\b\b\u007fcret\r')
    assert.equal(await opened, 'open')
    assert.deepEqual(keyboard.typedRaw, [true])
    assert.equal(keyboard.raw, false)
    assert.doesNotMatch(io.stderr.text + io.stdout.text, /secret|sekret/)
  })

  it('may hold any character', async () => {
    const keyboard = new Keyboard()
    const typed = withPassphrase(fakeIo({ stdin: keyboard }), async passphrase => {
      if (passphrase === undefined) {
        throw new UsageError('KEY_NEEDS_PASSPHRASE', 'locked')
      }
      return passphrase
    })
    await keyboard.type('pä👋 ss\n')
    assert.equal(await typed, 'pä👋 ss')
  })

  it('is given up with Ctrl-C, and the terminal is as before', async () => {
    const keyboard = new Keyboard()
    const opened = assert.rejects(withPassphrase(fakeIo({ stdin: keyboard }), lock), { code: 'CANCELLED' })
    await keyboard.type('sec\u0003')
    await opened
    assert.equal(keyboard.raw, false)
  })

  it('cannot be typed into a pipe', async () => {
    await assert.rejects(withPassphrase(fakeIo({ stdin: new PassThrough() }), lock), { code: 'KEY_NEEDS_PASSPHRASE' })
  })

  it('of new keys is typed twice', async () => {
    const same = new Keyboard()
    const passphrase = newPassphrase(fakeIo({ stdin: same }))
    await same.type('secret\r')
    await same.type('secret\r')
    assert.equal(await passphrase, 'secret')

    const other = new Keyboard()
    const refused = assert.rejects(newPassphrase(fakeIo({ stdin: other })), { code: 'PASSPHRASE_MISMATCH' })
    await other.type('secret\r')
    await other.type('sekret\r')
    await refused

    const empty = new Keyboard()
    const nothing = assert.rejects(newPassphrase(fakeIo({ stdin: empty })), { code: 'KEY_PASSPHRASE_EMPTY' })
    await empty.type('\r')
    await nothing
  })
})
