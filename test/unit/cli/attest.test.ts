import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AcceptedEnclave, NodeModule } from '../../../src/cli/node-port.ts'
import { fromHex } from '../../../src/core/bytes.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { receiptFields, STATEMENT } from '../attest/fixtures.ts'
import { fakeIo } from './fake-io.ts'
import { MainRun } from './run-main.ts'

const enclave = (expiresAtMs: number): AcceptedEnclave => ({
  statement: STATEMENT,
  statementDigest: new Uint8Array(32),
  hpkePublicKey: new Uint8Array(32),
  receiptKey: new Uint8Array(32),
  tier: 'simulated',
  platform: { tier: 'simulated' },
  modelDigests: STATEMENT.modelDigests.map(digest => fromHex(digest, 32)),
  expiresAtMs
})

/** Without a home folder. */
const nowhere = () => fakeIo({ env: { COCOON_HOME: '' } })

type JudgeInit = Parameters<NodeModule['judgeAttestationFile']>[1]

describe('cocoon-node attest verify', () => {
  const folder = useTempFolder()
  const inits: JudgeInit[] = []

  beforeEach(() => {
    inits.length = 0
  })

  function judging(expiresAtMs: number): MainRun {
    const run = new MainRun(folder())
    run.node.module.judgeAttestationFile = async (_path, init) => {
      inits.push(init)
      return enclave(expiresAtMs)
    }
    run.node.module.describeEnclave = () => ({ runs: ['a \u001b[2Jprogram'], can: ['read'], cannot: [] })
    return run
  }

  it('says of one that ended meanwhile as of when it holds', async () => {
    const ended = await judging(Date.UTC(2026, 0, 2)).run(
      ['attest', 'verify', 'a.json', '--allow-simulated'],
      nowhere()
    )
    assert.equal(ended.code, 0)
    assert.match(ended.stderr.text, /^Judged as of when the file says .*ended at 2026-01-02T00:00:00\.000Z/)
    const at = ['--at', '2026-01-01T00:00:00Z']
    const then = await judging(Date.UTC(2026, 0, 2)).run(['attest', 'verify', 'a.json', ...at], nowhere())
    assert.match(then.stderr.text, /^Judged as of 2026-01-01T00:00:00\.000Z\. It ended at 2026-01-02/)
    assert.equal(inits[1]?.nowMs, Date.UTC(2026, 0, 1))
    const alive = await judging(Date.now() + 3_600_000).run(['attest', 'verify', 'a.json'], nowhere())
    assert.deepEqual([alive.code, alive.stderr.text], [0, ''])
    assert.ok(!alive.stdout.text.includes('\u001b'))
  })

  it('judges by what the home folder says, and by what is said here before that', async () => {
    const run = judging(Date.now() + 3_600_000)
    await run.run(['attest', 'verify', 'a.json'], nowhere())
    const home = join(folder(), 'set')
    await mkdir(home)
    const client = { attestationPolicy: 'rules.json', allowSimulated: true }
    await writeFile(join(home, 'config.json'), JSON.stringify({ network: 'testnet', client }))
    await run.run(['attest', 'verify', 'a.json', '--home', home])
    await run.run(['attest', 'verify', 'a.json', '--home', home, '--policy', '/mine.json'])
    assert.deepEqual(inits, [
      { allowSimulated: false },
      { allowSimulated: true, policyFile: join(home, 'rules.json') },
      { allowSimulated: true, policyFile: '/mine.json' }
    ])
  })

  it('judges receipts by the same', async () => {
    const run = new MainRun(folder())
    const seen: unknown[] = []
    run.node.module.verifyReceiptFile = async (path, { allowSimulated, policyFile }) => {
      seen.push({ allowSimulated, policyFile })
      const receipt = receiptFields(new Uint8Array())
      return { path, receipt, enclave: { tier: 'tdx' }, voucher: 'none' }
    }
    const policy = ['--policy', '/mine.json']
    const args = ['receipt', 'verify', './receipt.json', ...policy, '--allow-simulated']
    const { code, stdout } = await run.run(args, nowhere())
    assert.equal(code, 0)
    assert.match(stdout.text, /^VERIFIED, tier tdx: .*; nothing was paid\.\n/)
    assert.deepEqual(seen, [{ allowSimulated: true, policyFile: '/mine.json' }])
  })
})
