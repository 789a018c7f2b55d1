import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256, toHex } from '../../../../src/core/bytes.ts'
import { runGpuCommand } from '../../../../src/enclave/evidence/gpu-command.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import { gpuCommand } from '../../../support/tdx-platform-gpu.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'
import { until } from '../../../support/until.ts'
import { nvidiaVectors } from '../../attest/nvidia/vectors.ts'

const recorded = sharedPath('vectors', 'attestation', 'nvidia')

describe('the GPU command', () => {
  const folder = useTempFolder()

  if (recorded !== undefined) {
    const run = async (mode: string, options: { nonce?: Uint8Array; timeLimitMs?: number } = {}) =>
      runGpuCommand(await gpuCommand(folder(), recorded, mode), options.nonce ?? randomBytes(32), options)

    it('gets the nonce and gives reports, chains, golden measurements and digests', async () => {
      const vectors = nvidiaVectors()
      const { nonce = randomBytes(32), report = randomBytes(0) } = vectors?.gonvtrust ?? {}
      const proofs = await run('replay', { nonce })
      assert.equal(proofs.gpus.length, 1)
      assert.equal(proofs.gpus[0]?.report, Buffer.from(report).toString('base64'))
      assert.equal(proofs.gpus[0]?.driverRim, 0)
      assert.equal(proofs.gpus[0]?.vbiosRim, 1)
      assert.equal(proofs.rims.length, 2)
      assert.deepEqual(proofs.digests, [toHex(sha256(report))])
    })

    it('is refused when its report answers another nonce: a recorded one can only be replayed', async () => {
      await assert.rejects(run('replay'), { code: 'EVIDENCE_GPU_MISMATCH' })
    })

    for (const mode of ['garbage', 'none', 'twice', 'rims-missing', 'unknown-field', 'no-report']) {
      it(`is refused when its output is not in form: ${mode}`, async () => {
        await assert.rejects(run(mode), { code: 'EVIDENCE_GPU_INVALID' })
      })
    }

    it('is refused when it prints too much', async () => {
      await assert.rejects(run('floods'), { code: 'EVIDENCE_GPU_TOO_LARGE' })
    })

    it('is refused with its exit code, and a part of the first line of what it complains about', async () => {
      await assert.rejects(run('fails'), (err: Error & { code?: string }) => {
        assert.equal(err.code, 'EVIDENCE_GPU_FAILED')
        assert.match(err.message, /exit code 3: no GPU was found!+$/)
        assert.ok(err.message.length < 300 && !err.message.includes('second'))
        return true
      })
    })

    it('is killed with all it started when its time is over', async () => {
      const startedMs = Date.now()
      await assert.rejects(run('hangs', { timeLimitMs: 300 }), { code: 'EVIDENCE_GPU_TIMEOUT' })
      assert.ok(Date.now() - startedMs < 5000)
    })

    it('sees nothing of the environment of the enclave', async () => {
      process.env['COCOON_TEST_SECRET'] = 'secret'
      try {
        await assert.rejects(run('environment'), (err: Error & { code?: string }) => {
          assert.equal(err.code, 'EVIDENCE_GPU_FAILED')
          assert.match(err.message, /"PATH":"\/usr/)
          assert.ok(!err.message.includes('SECRET'))
          return true
        })
      } finally {
        delete process.env['COCOON_TEST_SECRET']
      }
    })
  }

  it('is not started by a name that a search path would have to find', async () => {
    await assert.rejects(runGpuCommand('sh', randomBytes(32)), { code: 'EVIDENCE_GPU_UNAVAILABLE' })
  })

  it('is refused when there is none, or none that can be executed', async () => {
    const file = join(folder(), 'plain')
    await writeFile(file, 'text', { mode: 0o600 })
    await assert.rejects(runGpuCommand(join(folder(), 'missing'), randomBytes(32)), {
      code: 'EVIDENCE_GPU_UNAVAILABLE'
    })
    await assert.rejects(runGpuCommand(file, randomBytes(32)), { code: 'EVIDENCE_GPU_UNAVAILABLE' })
  })

  it('a grandchild that keeps the output open is ended with it', async () => {
    const path = join(folder(), 'forks')
    const mark = join(folder(), 'pid')
    await writeFile(path, `#!/bin/sh\nsleep 60 &\necho $! > '${mark}.new'\nmv '${mark}.new' '${mark}'\n`, {
      mode: 0o700
    })
    const controller = new AbortController()
    const running = runGpuCommand(path, randomBytes(32), { signal: controller.signal })
    await until(() => existsSync(mark))
    controller.abort()
    await assert.rejects(running, { code: 'CANCELLED' })
    const pid = Number(await readFile(mark, 'utf8'))
    // Killed is gone, or waits for whoever adopted it.
    await until(async () => / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ')))
  })

  it('stops when its caller does', async () => {
    const controller = new AbortController()
    const path = join(folder(), 'slow')
    await writeFile(path, '#!/bin/sh\nsleep 60\n', { mode: 0o700 })
    const running = runGpuCommand(path, randomBytes(32), { signal: controller.signal })
    setTimeout(() => controller.abort(), 100)
    await assert.rejects(running, { code: 'CANCELLED' })
  })
})
