import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { type ConfigFile, createHome, homeFolder, loadConfig, writeConfig } from '../../../src/config/index.ts'
import { errorMessage } from '../../../src/core/errors.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

const SETTINGS: ConfigFile = {
  network: 'simnet',
  chain: { endpoint: 'http://127.0.0.1:1/', apiKey: 'hush' },
  provider: { prices: { completionPerMTokens: '7' } }
}

describe('config file', () => {
  const temp = useTempFolder()
  const home = () => homeFolder(temp())

  it('is read back as it was written, for its owner alone', async () => {
    const written = await writeConfig(home(), SETTINGS)
    assert.deepEqual(await loadConfig(home()), written)
    assert.equal(written.provider.prices.completionPerMTokens, 7n)
    assert.equal((await stat(home().configFile)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(temp()), ['config.json'])
  })

  it('holds only what was set, so that defaults stay those of the version', async () => {
    await writeConfig(home(), SETTINGS)
    assert.deepEqual(JSON.parse(await readFile(home().configFile, 'utf8')), SETTINGS)
  })

  it('is not touched by settings that would not load', async () => {
    await writeConfig(home(), SETTINGS)
    await assert.rejects(writeConfig(home(), { ...SETTINGS, provider: { slots: 0 } }), { code: 'CONFIG_INVALID' })
    assert.deepEqual(JSON.parse(await readFile(home().configFile, 'utf8')), SETTINGS)
  })

  it('that is missing names the command that makes one', async () => {
    await assert.rejects(loadConfig(home()), { code: 'HOME_MISSING', message: /cocoon-node init/ })
  })

  it('with broken JSON tells the place and nothing of the text', async () => {
    await writeFile(home().configFile, '{\n  "network": "simnet",\n  "chain": { "apiKey": "hush" "x" }\n}')
    await assert.rejects(loadConfig(home()), err => {
      assert.doesNotMatch(errorMessage(err), /hush/)
      assert.match(errorMessage(err), /line 3, column 31/)
      return (err as { code?: string }).code === 'CONFIG_INVALID'
    })
    await writeFile(home().configFile, '')
    await assert.rejects(loadConfig(home()), { code: 'CONFIG_INVALID' })
  })

  it('that cannot be read or written says so', async () => {
    await mkdir(home().configFile)
    await assert.rejects(loadConfig(home()), { code: 'HOME_NOT_READABLE' })
    await assert.rejects(writeConfig(home(), SETTINGS), { code: 'HOME_NOT_WRITABLE' })
    assert.deepEqual(await readdir(temp()), ['config.json'])
    await assert.rejects(writeConfig(homeFolder('/dev/null/x'), SETTINGS), { code: 'HOME_NOT_WRITABLE' })
  })

  it('is not written when the caller gave up', async () => {
    await createHome(home())
    await assert.rejects(writeConfig(home(), SETTINGS, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
    await assert.rejects(stat(home().configFile), { code: 'ENOENT' })
  })
})
