import type { Ledger, LedgerWrite } from './ledger.ts'

/** Marks jobs that were running when the process ended, given the ledger keys of their lines. */
export async function interruptedLines(ledger: Ledger, keys: readonly string[]): Promise<LedgerWrite[]> {
  const writes: LedgerWrite[] = []
  for (const key of keys) {
    const line = await ledger.job(key)
    if (line?.outcome === 'running') {
      writes.push({ kind: 'job', record: { ...line, outcome: 'interrupted' } })
    }
  }
  return writes
}
