/** One operation of a batch, with what the key held before. */
export interface NamedOperation {
  key: string
  before: string | undefined
  after: string | undefined
}

/**
 * Names a write by what it changes, e.g. `payer promised signature signed + job running`: the same name whenever the same
 * step is taken, and a new one when the books learn a new step.
 */
export function stepName(operations: readonly NamedOperation[]): string {
  // The seal goes along with everything.
  const named = operations.filter(({ key }) => !key.endsWith('!seal'))
  return [...new Set(named.map(operationName))].toSorted().reverse().join(' + ')
}

function operationName({ key, before, after }: NamedOperation): string {
  const kind = /^(?:!ledger!)?([a-z-]+)/.exec(key)?.[1] ?? 'other'
  const [old, next] = [readBody(before), readBody(after)]
  if (next === undefined) {
    return `${kind} forgotten`
  }
  if (kind === 'job') {
    return `job ${String(next['outcome'])}`
  }
  if (old === undefined) {
    return `${kind} new`
  }
  const names = [...new Set([...Object.keys(old), ...Object.keys(next)])]
  const changed = names.filter(name => JSON.stringify(old[name]) !== JSON.stringify(next[name]))
  // Times go along with most changes: they name a step only where nothing else does.
  const telling = changed.some(name => !isTime(name)) ? changed.filter(name => !isTime(name)) : changed
  const described = telling.map(name => (name === 'state' ? `state=${String(next['state'])}` : name))
  return `${kind} ${described.toSorted().join(' ') || 'unchanged'}`
}

function isTime(name: string): boolean {
  return name.endsWith('AtMs') || name.endsWith('SinceMs')
}

/** A stored record's fields: its text ends with a JSON object. */
function readBody(stored: string | undefined): Record<string, unknown> | undefined {
  const at = stored?.indexOf('{') ?? -1
  return stored === undefined || at < 0 ? undefined : (JSON.parse(stored.slice(at)) as Record<string, unknown>)
}
