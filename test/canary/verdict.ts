import { AFTER, type CanaryResult } from './canary-run.ts'
import { type Finding, windowCount } from './traces-found.ts'

/** What is wrong with a run of the real build: nothing, if it keeps its promise and the search works. */
export function complaintsOf(result: CanaryResult): string[] {
  const leaks = leaksOf(result).map(finding => `LEAK: ${describe(finding)}`)
  return [...leaks, ...blindSpots(result)]
}

/** Everything found outside the enclave that does not stand there anyway. */
export function leaksOf({ host, outside, unremarkable }: CanaryResult): Finding[] {
  return unremarkable.remarkable([...host.flatMap(({ findings }) => findings), ...outside])
}

/** `prompt 1, 368 bytes as plain in memory [heap]`: where, never what. */
export function describe({ secret, form, from, to, where }: Finding): string {
  return `${secret}, ${to - from} bytes from ${from} on as ${form} in ${where}`
}

/** Which kinds of secrets the enclave's memory showed: `prompt`, `answer`, `response key`. */
export function seenInside({ enclave }: Pick<CanaryResult, 'enclave'>, streaming: boolean): string[] {
  const findings = enclave.filter(({ when }) => (when !== AFTER) === streaming).flatMap(look => look.findings)
  return [...new Set(findings.map(({ secret }) => kindOf(secret)))].toSorted()
}

/** Why finding nothing would mean nothing. */
function blindSpots(result: CanaryResult): string[] {
  const { secrets, host, failure, unremarkable } = result
  const missing = (names: readonly string[]): string[] =>
    ['answer', 'prompt', 'response key'].filter(kind => !names.includes(kind))
  const blind: string[] = []
  if (failure !== undefined) {
    blind.push(`BLIND: the job failed with ${failure}`)
  }
  if (host.length < 3) {
    blind.push(`BLIND: only ${host.length} looks were taken`)
  }
  for (const kind of missing(secrets.map(({ name }) => kindOf(name)))) {
    blind.push(`BLIND: no ${kind} was known to look for`)
  }
  for (const kind of missing(seenInside(result, true))) {
    blind.push(`BLIND: the enclave's own memory showed no ${kind} while it answered`)
  }
  for (const { readBytes, unreadableBytes, when } of host) {
    if (readBytes < 50e6 || unreadableBytes > readBytes / 100) {
      blind.push(`BLIND: ${readBytes} bytes of the host could be read at ${when}, ${unreadableBytes} could not`)
    }
  }
  for (const kind of ['answer', 'prompt', 'response key']) {
    const ofKind = secrets.filter(({ name }) => kindOf(name) === kind)
    const windows = ofKind.reduce((sum, secret) => sum + windowCount(secret), 0)
    const excluded = ofKind.reduce((sum, { name }) => sum + unremarkable.excluded(name), 0)
    if (excluded > windows / 2) {
      blind.push(`BLIND: ${excluded} of ${windows} windows of the ${kind} stand where nobody asked`)
    }
  }
  return blind
}

export function kindOf(secret: string): string {
  return secret.replace(/ \d+$/, '')
}
