import type { Secret } from './secret.ts'
import { WINDOW_BYTES } from './secret-forms.ts'
import { type Trace, TraceFinder } from './trace-finder.ts'

/** One finding: which bytes of which secret, how written, where. */
export interface Finding {
  secret: string
  form: string
  from: number
  to: number
  where: string
}

/** Collects what was found of some secrets, each thing once for each place. */
export class TracesFound {
  readonly #finder: TraceFinder
  readonly #findings = new Map<string, Finding>()
  scannedBytes = 0

  constructor(secrets: readonly Secret[]) {
    this.#finder = new TraceFinder(secrets)
  }

  get findings(): Finding[] {
    return [...this.#findings.values()]
  }

  scan(bytes: Uint8Array, where: string): void {
    this.scannedBytes += bytes.byteLength
    this.#finder.find(bytes, trace => this.#add(trace, where))
  }

  #add({ form, from, to }: Trace, where: string): void {
    const key = `${form.secret.name} ${form.name} ${from} ${to} ${where}`
    this.#findings.set(key, { secret: form.secret.name, form: form.name, from, to, where })
  }
}

/**
 * Windows that stand by themselves where nobody ever asked: common words, the model's own. Each is excluded in the form
 * in which it was found there, and in no other.
 */
export class Unremarkable {
  readonly #windows = new Map<string, Set<number>>()

  add(findings: readonly Finding[]): void {
    for (const finding of findings) {
      const key = keyOf(finding)
      const windows = this.#windows.get(key) ?? new Set()
      this.#windows.set(key, windows)
      windowsOf(finding).forEach(at => windows.add(at))
    }
  }

  /** Findings with at least one window that is remarkable. */
  remarkable(findings: readonly Finding[]): Finding[] {
    return findings.filter(finding =>
      windowsOf(finding).some(at => this.#windows.get(keyOf(finding))?.has(at) !== true)
    )
  }

  /** How many windows of a secret are excluded in its plain form. */
  excluded(secret: string): number {
    return this.#windows.get(`${secret} plain`)?.size ?? 0
  }
}

/** How many windows a secret has. */
export function windowCount({ bytes }: Secret): number {
  return bytes.byteLength - WINDOW_BYTES + 1
}

function keyOf({ secret, form }: Finding): string {
  return `${secret} ${form}`
}

/** Where windows begin that the finding holds; one that holds a little less, in base64, counts as the one it is part of. */
function windowsOf({ from, to }: Finding): number[] {
  const count = Math.max(1, to - from - WINDOW_BYTES + 1)
  return Array.from({ length: count }, (_, at) => from + at)
}
