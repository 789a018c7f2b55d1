import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { createHome, homeFolder, openHome, resolveHome } from '../../../src/config/index.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

describe('home folder', () => {
  const temp = useTempFolder()

  it('is --home, else $COCOON_HOME, else ~/.cocoon', () => {
    const env = { COCOON_HOME: '/env' }
    assert.equal(resolveHome({ option: 'given', env }).path, resolve('given'))
    assert.equal(resolveHome({ env }).path, '/env')
    assert.equal(resolveHome({ env: { COCOON_HOME: '' } }).path, join(homedir(), '.cocoon'))
    assert.equal(resolveHome({ env: {} }).path, join(homedir(), '.cocoon'))
  })

  it('is made with all its folders for its owner alone', async () => {
    const home = homeFolder(join(temp(), 'a', 'b'))
    await createHome(home)
    for (const folder of [home.path, home.keysFolder, home.dataFolder, home.receiptsFolder, home.logsFolder]) {
      assert.equal((await stat(folder)).mode & 0o777, 0o700, folder)
    }
    await createHome(home)
  })

  it('keeps the rights of a folder that exists', async () => {
    const home = homeFolder(join(temp(), 'own'))
    await mkdir(home.path, { mode: 0o750 })
    await createHome(home)
    assert.equal((await stat(home.path)).mode & 0o777, 0o750)
  })

  it('opens only after init', async () => {
    const home = homeFolder(join(temp(), 'new'))
    await assert.rejects(openHome(home), { code: 'HOME_MISSING', message: /cocoon-node init/ })
    await createHome(home)
    await assert.rejects(openHome(home), { code: 'HOME_MISSING' })
    await writeFile(home.configFile, '{}')
    await openHome(home)
  })

  it('under a file cannot be made or opened', async () => {
    await writeFile(join(temp(), 'file'), '')
    const home = homeFolder(join(temp(), 'file', 'home'))
    await assert.rejects(createHome(home), { code: 'HOME_NOT_WRITABLE' })
    await assert.rejects(openHome(home), { code: 'HOME_NOT_READABLE' })
  })
})
