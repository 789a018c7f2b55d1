import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { enclaveBundle } from '../../src/enclave/index.ts'
import { projectRoot } from '../support/shared-data.ts'
import { useTempFolder } from '../support/temp-folder.ts'
import { checkedOut, cleanBuild, differences } from './clean-build.ts'

describe('a build of the enclave program', function () {
  this.timeout(120_000)
  const folder = useTempFolder()

  it('gives the same digest from a clean clone somewhere else, under another umask, time zone and locale', function () {
    if (!existsSync(join(projectRoot(), '.git'))) {
      console.log('      SKIPPED: this is no git checkout, so there is no commit to build')
      this.skip()
    }
    const { commit, clean } = checkedOut()
    if (!clean) {
      console.log('      SKIPPED: the working tree has changes; "npm run bundle" builds the commit twice all the same')
      this.skip()
    }
    const place = { folder: join(folder(), 'ünder'), umask: '077', timeZone: 'Asia/Kathmandu', locale: 'tr_TR.UTF-8' }
    const built = cleanBuild(commit, place)
    assert.deepEqual(differences(enclaveBundle().listing, built.listing), [])
  })

  it('names the file that makes two builds differ', () => {
    const { listing } = enclaveBundle()
    const changed = listing.replace(/(file core\/bytes\.js )./, '$1x')
    const lines = differences(listing, changed)
    assert.equal(lines.length, 2)
    assert.ok(lines.every(line => /^[-+] file core\/bytes\.js /.test(line)))
  })
})
