import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chooseHome, namedHome } from '../../../src/cli/home.ts'
import { useTempFolder } from '../../support/temp-folder.ts'

describe('the home folder of a command', () => {
  const tempFolder = useTempFolder()
  const isHere = process.pid
  // Larger than any process id that Linux gives.
  const isGone = 2 ** 30

  it('is --home before $COCOON_HOME before ~/.cocoon', () => {
    const io = { env: { COCOON_HOME: '/env' }, userHome: '/user' }
    assert.deepEqual(namedHome({ option: '/option', io }), { path: '/option', from: 'option' })
    assert.deepEqual(namedHome({ option: undefined, io }), { path: '/env', from: 'environment' })
    assert.deepEqual(namedHome({ option: undefined, io: { ...io, env: { COCOON_HOME: '' } } }), {
      path: '/user/.cocoon',
      from: 'default'
    })
  })

  it('is that of the running simnet where no node was made', async () => {
    const userHome = tempFolder()
    const client = await simnet(userHome, isHere)
    const io = { env: {}, userHome }
    assert.deepEqual(await chooseHome({ option: undefined, io, simnet: true }), { path: client, from: 'simnet' })
    await makeNode(join(userHome, '.cocoon'))
    assert.equal((await chooseHome({ option: undefined, io, simnet: true })).from, 'default')
  })

  it('is found where $COCOON_SIMNET keeps the simnet', async () => {
    const folder = tempFolder()
    const client = await simnet(folder, isHere)
    const io = { env: { COCOON_SIMNET: join(folder, '.cocoon', 'simnet') }, userHome: '/nobody' }
    assert.equal((await chooseHome({ option: undefined, io, simnet: true })).path, client)
  })

  it('is never the simnet where another folder was named, or for a provider', async () => {
    const userHome = tempFolder()
    await simnet(userHome, isHere)
    const io = { env: {}, userHome }
    const missing = { code: 'HOME_MISSING', errorClass: 'environment' }
    await assert.rejects(chooseHome({ option: '/not/there', io, simnet: true }), missing)
    await assert.rejects(
      chooseHome({ option: undefined, io: { ...io, env: { COCOON_HOME: '/not/there' } }, simnet: true }),
      missing
    )
    await assert.rejects(chooseHome({ option: undefined, io, simnet: false }), missing)
  })

  it('is not the client of a simnet that has ended', async () => {
    const userHome = tempFolder()
    await simnet(userHome, isGone)
    await assert.rejects(chooseHome({ option: undefined, io: { env: {}, userHome }, simnet: true }), {
      code: 'HOME_MISSING'
    })
  })

  it('is refused where the simnet file is not one', async () => {
    const userHome = tempFolder()
    await mkdir(join(userHome, '.cocoon', 'simnet'), { recursive: true })
    for (const content of ['', '{', 'null', '[]', '{"version":2}', '{"version":1,"chainEndpoint":1}']) {
      await writeFile(join(userHome, '.cocoon', 'simnet', 'simnet.json'), content)
      await assert.rejects(
        chooseHome({ option: undefined, io: { env: {}, userHome }, simnet: true }),
        { code: 'SIMNET_FILE_INVALID' },
        content
      )
    }
  })
})

async function makeNode(home: string): Promise<void> {
  await mkdir(home, { recursive: true })
  await writeFile(join(home, 'config.json'), '{}')
}

async function simnet(userHome: string, chainPid: number): Promise<string> {
  const folder = join(userHome, '.cocoon', 'simnet')
  const clientHome = join(folder, 'client')
  await makeNode(clientHome)
  const content = { version: 1, chainUrl: 'http://x', chainEndpoint: 'http://x/y', chainPid, clientHome, providers: [] }
  await writeFile(join(folder, 'simnet.json'), JSON.stringify(content))
  return clientHome
}
