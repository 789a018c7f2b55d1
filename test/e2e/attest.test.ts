import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { main } from '../../src/cli/main.ts'
import { DEFAULT_MODEL } from '../../src/core/default-model.ts'
import { enclaveBundle } from '../../src/enclave/index.ts'
import type { TrafficEvent } from '../../src/mesh/index.ts'
import type { CocoonNode } from '../../src/node/index.ts'
import { decodeAnnouncement } from '../../src/wire/announcement.ts'
import { PROTOCOLS } from '../../src/wire/protocols.ts'
import { runCli } from '../support/cli-process.ts'
import { TestMesh } from '../support/test-mesh.ts'
import { fakeIo } from '../unit/cli/fake-io.ts'

type Json = Record<string, unknown>

/** Ends the process, with a status of its own, at the first thing it would send. */
const NO_NETWORK = `--import=data:text/javascript,${encodeURIComponent(
  `import net from 'node:net'; import dgram from 'node:dgram'; import dns from 'node:dns'
   const end = () => process.exit(99)
   net.Socket.prototype.connect = end; net.Server.prototype.listen = end; dgram.Socket.prototype.bind = end; dns.lookup = end`
)}`

describe('what a provider runs, judged on the command line', function () {
  this.timeout(60_000)
  let folder: string
  let stopMesh = async (): Promise<void> => undefined
  let provider: CocoonNode
  /** A client's home, and the one of somebody who never asked. */
  let home: string
  let other: string
  let saved: string
  let shownAtMs: number
  const wraps: number[] = []
  const frames: number[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cocoon-attest-'))
    saved = join(folder, 'attestation.json')
    const mesh = await TestMesh.start()
    stopMesh = once(() => mesh.stop())
    provider = await mesh.provider({ tap })
    home = await mesh.home()
    other = await mesh.home(0n)
  })
  after(async () => {
    await stopMesh()
    await rm(folder, { recursive: true, force: true })
  })

  function tap({ kind, direction, protocol, bytes }: TrafficEvent): void {
    if (kind === 'gossip' && direction === 'in' && protocol.startsWith('/cocoon/jobs/')) {
      wraps.push(...decodeAnnouncement(bytes).recipients.map(({ enc }) => enc.byteLength))
    } else if (kind === 'stream' && direction === 'out' && protocol === PROTOCOLS.job) {
      frames.push(bytes.byteLength)
    }
  }

  /** No node, no simnet: only what is on the command line. */
  function nowhere(): Record<string, string> {
    return { HOME: folder, USERPROFILE: folder, COCOON_HOME: '', COCOON_SIMNET: '', DEBUG: '' }
  }

  function cli(...args: string[]) {
    return runCli(args, { env: nowhere() })
  }

  function offline(...args: string[]) {
    return runCli(args, { env: { ...nowhere(), NODE_OPTIONS: NO_NETWORK } })
  }

  /** The same command in this process, for tables: to load a node takes a second each time. */
  async function here(...args: string[]) {
    const io = fakeIo({ userHome: folder })
    const code = await main(args, {
      io,
      signals: Object.assign(new EventEmitter(), { exit: () => assert.fail('interrupted') }),
      pause: () => assert.fail('nothing to wait for'),
      loadNode: async () => import('../../src/node/index.ts'),
      loadSimnet: () => assert.fail('not a simnet')
    })
    return { code, stdout: io.stdout.text, stderr: io.stderr.text }
  }

  /** One line that names the code, the class's exit status, and nothing on stdout. */
  function assertRefused(
    outcome: Awaited<ReturnType<typeof runCli>>,
    code: string,
    exit: number,
    what = outcome.stderr
  ): void {
    assert.deepEqual([outcome.code, outcome.stdout], [exit, ''], `${what}: ${outcome.stderr}`)
    assert.match(outcome.stderr, new RegExp(`(?:^|\\n)error ${code}: [^\\n]+\\n$`), what)
  }

  async function write(name: string, value: unknown): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value))
    return path
  }

  async function receiptFile(): Promise<{ path: string; id: string }> {
    const [name = ''] = (await readdir(join(home, 'receipts'))).filter(file => file.endsWith('.json'))
    return { path: join(home, 'receipts', name), id: name.slice(0, 32) }
  }

  it('is shown in plain words', async () => {
    const { code, stdout, stderr } = await cli('attest', 'show', provider.peerId, '--home', home)
    assert.equal(code, 0, stderr)
    assert.ok(stdout.startsWith(`ACCEPTED, tier simulated. Provider ${provider.peerId} runs\n  - cocoon-node `), stdout)
    assert.match(stdout, new RegExp(`^  - model ${DEFAULT_MODEL.digestHex}$`, 'm'))
    assert.match(stdout, /^ {2}- a simulated enclave: an ordinary process, with evidence that anyone can make$/m)
    assert.match(stdout, /\nIts owner can\n {2}- read every question and every answer\n/)
    assert.match(stdout, /\nA simulated enclave keeps its owner from nothing\.\n$/)
    assert.doesNotMatch(stdout, /cannot/)
  })

  it('is shown as JSON, and kept in a file that is never written over', async () => {
    const show = ['attest', 'show', provider.peerId, '--home', home, '--save', saved, '--json']
    const { code, stdout, stderr } = await cli(...show)
    shownAtMs = Date.now()
    assert.equal(code, 0, stderr)
    const shown = JSON.parse(stdout) as Json
    assert.deepEqual([shown['peer'], shown['accepted'], shown['tier']], [provider.peerId, true, 'simulated'])
    assert.deepEqual(shown['modelDigests'], [DEFAULT_MODEL.digestHex])
    const bundle = Buffer.from(enclaveBundle().digest).toString('hex')
    assert.equal((shown['software'] as Json)['bundleDigest'], bundle)
    assert.ok(Number(shown['expiresAtMs']) > shownAtMs)
    assert.deepEqual(shown['cannot'], [])
    const before = await readFile(saved, 'utf8')
    assert.match(stderr, /"note":"Saved as /)

    const again = await cli('attest', 'show', provider.peerId, '--home', home, '--save', saved)
    assertRefused(again, 'ATTESTATION_FILE_NOT_WRITABLE', 3)
    assert.equal(await readFile(saved, 'utf8'), before)
  })

  it('is refused by a client that does not allow simulated enclaves, and kept all the same', async () => {
    const config = JSON.parse(await readFile(join(other, 'config.json'), 'utf8')) as { client?: object }
    const strict = { ...config, client: { ...config.client, allowSimulated: false } }
    await writeFile(join(other, 'config.json'), JSON.stringify(strict))
    const path = join(folder, 'refused.json')
    const shown = await cli('attest', 'show', provider.peerId, '--home', other, '--save', path)
    await writeFile(join(other, 'config.json'), JSON.stringify(config))
    assertRefused(shown, 'ATTESTATION_TIER_REFUSED', 6)
    assert.equal((await here('attest', 'verify', path, '--allow-simulated')).code, 0)
  })

  it('is not looked for under what is no peer id', async () => {
    assertRefused(await cli('attest', 'show', 'nobody', '--home', home), 'PEER_ID_INVALID', 2)
  })

  it('is asked a question in the mode and the suite that the command line says', async () => {
    wraps.length = 0
    frames.length = 0
    const settings = ['--privacy', 'strict', '--suite', 'xwing', '--max-tokens', '16', '--json']
    const asked = await cli('ask', '--home', home, ...settings, 'Tell me a story about a fox.')
    assert.equal(asked.code, 0, asked.stderr)
    const answer = JSON.parse(asked.stdout) as Json
    assert.deepEqual([answer['complete'], answer['privacy'], answer['suite']], [true, 'strict', 'xwing'])
    assert.equal(answer['receipt'], (await receiptFile()).id)
    // Encapsulated keys of X-Wing; the frames of a plan, the smallest there is, whatever was said.
    assert.deepEqual(wraps, [1_120])
    const counts = frames.map(bytes => frames.filter(other => other === bytes).length)
    assert.equal(Math.max(...counts), 16, String(frames))
  })

  describe('once the provider and the chain are gone', () => {
    before(async () => {
      // The mesh takes its homes with it.
      for (const path of [home, other]) {
        await cp(path, join(folder, basename(path)), { recursive: true })
      }
      home = join(folder, basename(home))
      other = join(folder, basename(other))
      await stopMesh()
    })

    it('is judged without a network, which is cut to be sure', async () => {
      // The control: what needs a network meets the cut.
      assert.equal((await offline('attest', 'show', provider.peerId, '--home', home)).code, 99)
      const plain = await offline('attest', 'verify', saved, '--allow-simulated')
      assert.equal(plain.code, 0, plain.stderr)
      assert.ok(plain.stdout.startsWith(`ACCEPTED, tier simulated. Provider ${provider.peerId} runs\n`))
      const json = await offline('attest', 'verify', saved, '--home', other, '--json')
      assert.equal(json.code, 0, json.stderr)
      const verdict = JSON.parse(json.stdout) as Json
      assert.deepEqual([verdict['peer'], verdict['accepted']], [provider.peerId, true])
    })

    it('is refused with one byte of the file changed, each place with its own code', async () => {
      const text = await readFile(saved, 'utf8')
      const { statement, evidence } = JSON.parse(text) as { statement: Json & { software: Json }; evidence: string }
      const inner = JSON.parse(Buffer.from(evidence, 'base64').toString()) as Record<string, string>
      const changed = (field: string): string => {
        const whole = Buffer.from(evidence, 'base64').toString()
        const value = inner[field] ?? ''
        return Buffer.from(whole.replace(value, nextDigit(value))).toString('base64')
      }
      const { peerSignature, challenge } = JSON.parse(text) as Record<string, string>
      const damages: Array<[what: string, from: unknown, to: string, code: string]> = [
        ['a key', statement['hpkeKey'], nextDigit(statement['hpkeKey']), 'ATTESTATION_REPORT_DATA_MISMATCH'],
        ['the challenge', challenge, nextDigit(challenge), 'ATTESTATION_REPORT_DATA_MISMATCH'],
        ["the peer's signature", peerSignature, nextDigit(peerSignature), 'ATTESTATION_COSIGNATURE_INVALID'],
        ['the signature of the evidence', evidence, changed('signature'), 'ATTESTATION_EVIDENCE_SIGNATURE_INVALID'],
        ['the root of the evidence', evidence, changed('rootKey'), 'ATTESTATION_ROOT_UNKNOWN'],
        [
          'the program',
          statement.software['bundleDigest'],
          nextDigit(statement.software['bundleDigest']),
          'ATTESTATION_MEASUREMENT_MISMATCH'
        ],
        ['the name of a field', '"fetchedAtMs"', '"fetchedAtMz"', 'ATTESTATION_FILE_INVALID'],
        ['the last brace', /\}\n$/, '', 'ATTESTATION_FILE_INVALID']
      ]
      await Promise.all(
        damages.map(async ([what, from, to, code], at) => {
          const damaged = text.replace(from instanceof RegExp ? from : String(from), to)
          assert.notEqual(damaged, text, what)
          const path = await write(`damaged-${at}.json`, damaged)
          assertRefused(await here('attest', 'verify', path, '--allow-simulated'), code, 6, what)
        })
      )
      // And one of them as a process.
      const outcome = await offline('attest', 'verify', join(folder, 'damaged-0.json'), '--allow-simulated')
      assertRefused(outcome, 'ATTESTATION_REPORT_DATA_MISMATCH', 6)
    })

    it('is refused before its time and past it', async () => {
      const judged = (at: number) =>
        here('attest', 'verify', saved, '--allow-simulated', '--at', new Date(at).toISOString())
      const { statement } = JSON.parse(await readFile(saved, 'utf8')) as { statement: Record<string, number> }
      const { notBeforeMs = 0, notAfterMs = 0 } = statement
      assert.equal((await judged(notAfterMs - 1)).code, 0)
      assertRefused(await judged(notAfterMs), 'ATTESTATION_EXPIRED', 6)
      assertRefused(await judged(notBeforeMs - 3_600_000), 'ATTESTATION_NOT_YET_VALID', 6)
      const badTime = await here('attest', 'verify', saved, '--allow-simulated', '--at', 'yesterday')
      assertRefused(badTime, 'OPTION_INVALID', 2)
      // The time that the file itself claims counts in the same way.
      const late = (await readFile(saved, 'utf8')).replace(/"fetchedAtMs": \d+/, `"fetchedAtMs": ${notAfterMs}`)
      assertRefused(
        await offline('attest', 'verify', await write('late.json', late), '--allow-simulated'),
        'ATTESTATION_EXPIRED',
        6
      )
    })

    it('is refused by a policy that does not accept simulated enclaves, and no policy file can', async () => {
      assertRefused(await offline('attest', 'verify', saved), 'ATTESTATION_TIER_REFUSED', 6)
      const real = await write('real.json', { version: 1, acceptedTiers: ['tdx'] })
      assertRefused(await here('attest', 'verify', saved, '--policy', real), 'ATTESTATION_TIER_REFUSED', 6)
      const every = await write('every.json', { version: 1, acceptedTiers: ['tdx', 'simulated'] })
      const refused = await here('attest', 'verify', saved, '--policy', every)
      assertRefused(refused, 'POLICY_INVALID', 2)
      assert.match(refused.stderr, /acceptedTiers\[1\] is "simulated"/)
      const deny = await write('deny.json', { version: 1, deny: { peerIds: [provider.peerId] } })
      assertRefused(
        await here('attest', 'verify', saved, '--allow-simulated', '--policy', deny),
        'ATTESTATION_DENIED',
        6
      )
    })

    it('is not read from what is no file', async () => {
      assertRefused(await here('attest', 'verify', join(folder, 'none.json')), 'ATTESTATION_FILE_NOT_READABLE', 3)
      assertRefused(await here('attest', 'verify', folder), 'ATTESTATION_FILE_NOT_READABLE', 3)
    })

    it('leaves receipts that anyone can check, by id only who has them', async () => {
      const { path, id } = await receiptFile()
      const verified = await offline('receipt', 'verify', path, '--home', other)
      assert.equal(verified.code, 0, verified.stderr)
      assert.match(verified.stdout, /^VERIFIED, tier simulated: .*; its voucher fits and was signed by the payer\.\n/)
      assert.match(verified.stdout, new RegExp(`^receipt +${id}$`, 'm'))
      const machine = await offline('receipt', 'verify', id, '--home', home, '--json')
      const verdict = JSON.parse(machine.stdout) as Json
      assert.deepEqual(
        [verdict['verified'], verdict['tier'], verdict['voucher'], verdict['jobId']],
        [true, 'simulated', 'signature', id]
      )
      assertRefused(await here('receipt', 'verify', id, '--home', other), 'RECEIPT_UNKNOWN', 2)
    })

    it('leaves receipts that are judged by a policy too', async () => {
      const { path } = await receiptFile()
      assertRefused(await here('receipt', 'verify', path), 'ATTESTATION_TIER_REFUSED', 6)
      assert.equal((await here('receipt', 'verify', path, '--allow-simulated')).code, 0)
      const deny = await write('deny-receipt.json', { version: 1, deny: { peerIds: [provider.peerId] } })
      const denied = ['receipt', 'verify', path, '--allow-simulated', '--policy', deny]
      assertRefused(await here(...denied), 'ATTESTATION_DENIED', 6)
    })

    it('leaves receipts that are refused with one thing changed, each with its own code', async () => {
      const text = await readFile((await receiptFile()).path, 'utf8')
      const stored = JSON.parse(text) as { receipt: { event_log: Json[] }; finalVoucher: Json }
      const answer = String(stored.receipt.event_log.at(-1)?.['body_hash'])
      const [tokens = ''] = /"completion_tokens": \d+/.exec(text) ?? []
      const voucherSignature = stored.finalVoucher['signature']
      const damages: Array<[what: string, from: string, to: string, code: string]> = [
        ['tokens', tokens, `${tokens}0`, 'RECEIPT_SIGNATURE_INVALID'],
        ['the answer', answer, nextHash(answer), 'RECEIPT_SIGNATURE_INVALID'],
        ['the voucher', String(voucherSignature), nextDigit(voucherSignature), 'RECEIPT_VOUCHER_SIGNATURE_INVALID'],
        ['the version', 'cocoon/stored-receipt/2', 'cocoon/stored-receipt/3', 'RECEIPT_FILE_INVALID']
      ]
      await Promise.all(
        damages.map(async ([what, from, to, code], at) => {
          assert.ok(text.includes(from), what)
          const path = await write(`damaged-receipt-${at}.json`, text.replace(from, to))
          assertRefused(await here('receipt', 'verify', path, '--home', other), code, 6, what)
        })
      )
      const outcome = await offline('receipt', 'verify', join(folder, 'damaged-receipt-0.json'), '--home', other)
      assertRefused(outcome, 'RECEIPT_SIGNATURE_INVALID', 6)
    })
  })

  describe('by a policy', () => {
    it('that is the default outside of a home folder, and what the home folder says in one', async () => {
      const plain = await offline('attest', 'policy')
      assert.equal(plain.code, 0, plain.stderr)
      assert.match(
        plain.stdout,
        /^Policy: the default, no file\nTiers: tdx\+gpu, tdx, snp\nImages: none, so every real/
      )
      assert.doesNotMatch(plain.stdout, /Simulated/)
      const inHome = await here('attest', 'policy', '--home', other, '--json')
      const told = JSON.parse(inHome.stdout) as Json
      assert.equal(told['file'], null)
      assert.ok((told['acceptedTiers'] as string[]).includes('simulated'))
    })

    it('that is checked as a file, and told back', async () => {
      const image = {
        tier: 'snp',
        name: 'guest of May',
        measurement: 'ab'.repeat(48),
        bundleDigest: 'cd'.repeat(32)
      }
      const file = await write('policy.json', { version: 1, acceptedTiers: ['snp'], images: [image] })
      const { code, stdout, stderr } = await here('attest', 'policy', '--policy', file)
      assert.equal(code, 0, stderr)
      assert.ok(
        stdout.startsWith(`Policy: ${file}\nTiers: snp\nImages:\n  - snp guest of May, program ${'cd'.repeat(32)}\n`)
      )
    })

    const faulty: Array<[what: string, policy: unknown, code: string, named: RegExp]> = [
      ['a value', { version: 1, maxStatementAgeMinutes: 0 }, 'POLICY_INVALID', /maxStatementAgeMinutes is 0: expected/],
      ['a deep value', { version: 1, snp: { vmpls: [0, 9] } }, 'POLICY_INVALID', /snp\.vmpls\[1\] is 9: expected/],
      ['a key', { version: 1, imges: [] }, 'POLICY_UNKNOWN_KEY', /"imges" is not a setting: expected one of .*images/],
      ['a deep key', { version: 1, tdx: { mrtd: '' } }, 'POLICY_UNKNOWN_KEY', /"tdx\.mrtd" is not a setting/],
      ['the version', {}, 'POLICY_INVALID', /version is missing: expected 1/],
      ['what is no JSON', '{"version":1', 'POLICY_INVALID', /JSON/]
    ]
    it('that names what is wrong in it, at any depth', async () => {
      await Promise.all(
        faulty.map(async ([what, policy, code, named], at) => {
          const outcome = await here('attest', 'policy', '--policy', await write(`faulty-${at}.json`, policy))
          assertRefused(outcome, code, 2, what)
          assert.match(outcome.stderr, named, what)
        })
      )
      assertRefused(await offline('attest', 'policy', '--policy', join(folder, 'faulty-0.json')), 'POLICY_INVALID', 2)
    })

    it('that must be there, and whose schema is printed', async () => {
      assertRefused(await here('attest', 'policy', '--policy', join(folder, 'none')), 'POLICY_NOT_READABLE', 3)
      const { stdout } = await here('attest', 'policy', '--schema')
      const { properties } = JSON.parse(stdout) as { properties: Json }
      assert.ok(['version', 'acceptedTiers', 'images', 'deny'].every(key => key in properties))
    })
  })
})

function nextHash(value: string): string {
  return value.replace(/[0-9a-f]$/, last => (last === '0' ? '1' : '0'))
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => (done ??= work())
}

/** The same text with its first digit another one. */
function nextDigit(value: unknown): string {
  const text = String(value)
  return `${text.startsWith('0') ? '1' : '0'}${text.slice(1)}`
}
