import { type CanaryInit, type CanaryResult, runCanary } from './canary-run.ts'
import { LEAKY_BUILDS } from './leaky-builds.ts'
import { windowCount } from './traces-found.ts'
import { complaintsOf, describe, kindOf, leaksOf, seenInside } from './verdict.ts'

// npm run canary
// Asks a provider in a process of its own, and looks for question, answer and response key in all that its owner can
// read. Then does the same with builds that leak on purpose. Ends with 1 if anything was found, or not found that had to.

const HONEST: ReadonlyArray<[string, CanaryInit]> = [
  ['the shipped build, mode standard', { control: true }],
  ['the shipped build, mode strict', { control: true, privacy: 'strict' }]
]
/** More words than the shipped model takes: the way of errors, with real content on it. */
const TOO_LONG: CanaryInit = { control: true, words: 600 }

if (process.platform !== 'linux') {
  console.error(`This needs Linux: memory of another process is read through /proc, which ${process.platform} has not`)
  process.exit(1)
}

let failed = 0
for (const [name, init] of HONEST) {
  console.log(`\n${name}`)
  const result = await runCanary(init)
  report(result)
  verdict(complaintsOf(result))
}

console.log('\nthe shipped build, a question it cannot take')
const refused = await runCanary(TOO_LONG)
report(refused)
verdict([
  ...leaksOf(refused).map(finding => `LEAK: ${describe(finding)}`),
  ...(refused.failure === 'PROMPT_TOO_LONG' ? [] : [`BLIND: expected PROMPT_TOO_LONG, got ${refused.failure}`]),
  ...(seenInside(refused, false).includes('prompt') ? [] : ["BLIND: the enclave's own memory showed no prompt"])
])

const leaky = new Map<string | undefined, CanaryResult>()
console.log('\nbuilds that leak on purpose')
for (const { name, init, secret, form, where } of LEAKY_BUILDS) {
  const result = leaky.get(init.leaky) ?? (await runCanary(init))
  leaky.set(init.leaky, result)
  const caught = leaksOf(result).filter(
    finding => secret.test(finding.secret) && form.test(finding.form) && where.test(finding.where)
  )
  failed += caught.length === 0 ? 1 : 0
  console.log(`  ${caught[0] === undefined ? 'NOT CAUGHT' : 'caught'}  ${name}`)
  if (caught[0] !== undefined) {
    console.log(`          ${describe(caught[0]).replaceAll(/\/tmp\/[^/]+\//g, '')}`)
  }
}

console.log(failed === 0 ? '\nNothing leaked, and every leaking build was caught' : `\n${failed} FAILED`)
process.exitCode = failed === 0 ? 0 : 1

function report({ secrets, host, enclave, outsideBytes, unremarkable }: CanaryResult): void {
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  for (const [who, looks] of [
    ['host', host],
    ['enclave', enclave]
  ] as const) {
    const bytes = sum(looks.map(({ readBytes }) => readBytes))
    const seconds = sum(looks.map(({ ms }) => ms)) / 1_000
    console.log(
      `  ${who} memory: ${looks.length} looks, ${megabytes(bytes)} in ${seconds.toFixed(1)} s, ${looks[0]?.unreadableBytes} bytes each not readable`
    )
  }
  console.log(`  files, logs, sockets, frames, gossip: ${megabytes(outsideBytes)}`)
  for (const kind of ['prompt', 'answer', 'response key']) {
    const ofKind = secrets.filter(({ name }) => kindOf(name) === kind)
    const windows = sum(ofKind.map(windowCount))
    const excluded = sum(ofKind.map(({ name }) => unremarkable.excluded(name)))
    console.log(
      `  ${kind}: ${ofKind.length}, ${sum(ofKind.map(({ bytes }) => bytes.byteLength))} bytes, ${windows} windows, ${excluded} left out: they stand in a host that was not asked, or in the model`
    )
  }
  console.log(`  seen in the enclave, the control: ${list(seenInside({ enclave }, true))} while it answered`)
  console.log(`                                    ${list(seenInside({ enclave }, false))} after`)
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ')
}

function verdict(complaints: readonly string[]): void {
  failed += complaints.length
  console.log(
    complaints.length === 0 ? '  nothing of it outside the enclave' : complaints.map(line => `  ${line}`).join('\n')
  )
}
