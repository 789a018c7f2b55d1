import assert from 'node:assert/strict'
import { toHex } from '../../../src/core/bytes.ts'
import { enclaveBundle } from '../../../src/enclave/index.ts'
import { runCli } from '../../support/cli-process.ts'

describe('cocoon-node attest bundle', function () {
  this.timeout(20_000)

  it('prints digest, version and files, for people and as JSON', async () => {
    const { digest, files, packages } = enclaveBundle()
    const people = await runCli(['attest', 'bundle'])
    assert.equal(people.code, 0)
    assert.ok(people.stdout.startsWith(`Enclave program ${toHex(digest)}\ncocoon-node `), people.stdout.slice(0, 200))
    for (const { path, sha256 } of files) {
      assert.ok(people.stdout.includes(`${sha256}  ${path}\n`), path)
    }
    const machine = await runCli(['attest', 'bundle', '--json'])
    const told = JSON.parse(machine.stdout) as Record<string, unknown>
    assert.equal(told['digest'], toHex(digest))
    assert.deepEqual([told['files'], told['packages']], [files, packages])
    assert.match(String(told['version']), /^\d+\.\d+\.\d+/)
  })

  it('prints the very text that is measured', async () => {
    const { stdout } = await runCli(['attest', 'bundle', '--listing'])
    assert.equal(stdout, enclaveBundle().listing)
  })
})
