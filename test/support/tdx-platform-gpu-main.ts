/**
 * Stands in for the command that asks the GPUs: `node <this> <folder of recorded evidence> <mode> <nonce>`. It can only
 * replay a recorded report; `as-asked` writes the nonce into it, which breaks its signature but not its form.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = '', mode = '', nonce = ''] = process.argv.slice(2)

function recorded(): { report: Buffer; chain: Buffer; rims: Buffer[] } {
  const read = (name: string): Buffer => readFileSync(join(folder, name))
  return {
    report: Buffer.from(read('gonvtrust-h100.report.hex').toString('latin1').trim(), 'hex'),
    chain: read('gonvtrust-h100.chain.pem'),
    rims: [read('nvtrust-driver-rim-545.00-test.swidtag'), read('nvtrust-vbios-rim-96.00.5E.00.01-test.swidtag')]
  }
}

function output(changes: object = {}, count = 1): string {
  const { report, chain, rims } = recorded()
  if (mode !== 'replay') {
    report.write(nonce, 4, 'hex')
  }
  const gpu = { report: report.toString('base64'), chain: chain.toString('base64'), driverRim: 0, vbiosRim: 1 }
  const gpus = Array.from({ length: count }, () => gpu)
  return JSON.stringify({ gpus, rims: rims.map(rim => rim.toString('base64')), ...changes })
}

switch (mode) {
  case 'replay':
  case 'as-asked':
    process.stdout.write(output())
    break
  case 'environment':
    process.stderr.write(`${JSON.stringify(process.env)}\n`)
    process.exitCode = 4
    break
  case 'fails':
    process.stderr.write(`no GPU was found${'!'.repeat(500)}\nsecond line\n`)
    process.exitCode = 3
    break
  case 'hangs':
    setInterval(() => undefined, 1000)
    break
  case 'floods':
    process.stdout.write('x'.repeat(4 * 1024 * 1024))
    break
  case 'garbage':
    process.stdout.write('{"gpus":')
    break
  case 'none':
    process.stdout.write(output({ gpus: [] }))
    break
  case 'twice':
    process.stdout.write(output({}, 2))
    break
  case 'rims-missing':
    process.stdout.write(output({ rims: [] }))
    break
  case 'unknown-field':
    process.stdout.write(output({ more: 1 }))
    break
  case 'no-report':
    process.stdout.write(output({ gpus: [{ report: 'AAAA', chain: 'AAAA', driverRim: 0, vbiosRim: 0 }] }))
    break
  default:
    process.exitCode = 64
}
