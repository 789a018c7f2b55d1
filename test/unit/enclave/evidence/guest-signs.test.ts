import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findGuestSign } from '../../../../src/enclave/evidence/guest-signs.ts'
import { useTempFolder } from '../../../support/temp-folder.ts'

describe('signs of a TEE', () => {
  const folder = useTempFolder()

  async function put(path: string, text = ''): Promise<void> {
    await mkdir(join(folder(), dirname(path)), { recursive: true })
    await writeFile(join(folder(), path), text)
  }

  it('are none on a machine without any of the files', async () => {
    assert.equal(await findGuestSign(folder()), undefined)
    assert.equal(await findGuestSign(join(folder(), 'missing')), undefined)
  })

  // Words that a host has, other lines, and names that only begin or end so.
  for (const line of [
    'flags\t\t: fpu vme sme sev sev_es sev_snp tdx_host_platform',
    'flags\t\t: fpu xtdx_guest tdx_guest2',
    'model name\t: tdx_guest',
    'vmx flags\t: tdx_guest',
    'bugs\t\t: tdx_guest'
  ]) {
    it(`are none in ${JSON.stringify(line)}`, async () => {
      await put('proc/cpuinfo', `processor\t: 0\n${line}\nbogomips\t: 4000\n`)
      assert.equal(await findGuestSign(folder()), undefined)
    })
  }

  for (const flags of ['tdx_guest', 'fpu tdx_guest', 'tdx_guest fpu', 'fpu vme tdx_guest nopl']) {
    it(`are the kernel's own flag, wherever it stands: ${flags}`, async () => {
      await put('proc/cpuinfo', `processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t:\n`)
      assert.deepEqual(await findGuestSign(folder()), { guest: 'TDX', path: join(folder(), 'proc/cpuinfo') })
    })
  }

  it('are found by a device where the flags say nothing', async () => {
    await put('proc/cpuinfo', 'flags\t\t: fpu\n')
    await put('dev/sev-guest')
    assert.deepEqual(await findGuestSign(folder()), { guest: 'SEV-SNP', path: join(folder(), 'dev/sev-guest') })
  })

  it('are an error where they cannot be looked at', async () => {
    await mkdir(join(folder(), 'proc/cpuinfo'), { recursive: true })
    await assert.rejects(findGuestSign(folder()), { code: 'EVIDENCE_UNAVAILABLE', message: /EISDIR.*simulated/ })
  })
})
