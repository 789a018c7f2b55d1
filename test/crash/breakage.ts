import type { Ledger, LedgerWrite } from '../../src/payments/index.ts'

/**
 * Defects that the matrix must find.
 *
 * - `early`: a write counts before it is on disk
 * - `lost-deposit`: a deposit is sent without a note on disk
 */
export type Breakage = 'early' | 'lost-deposit'

/** A ledger with a defect in it. */
export function breakLedger(ledger: Ledger, breakage: Breakage | undefined): Ledger {
  if (breakage === undefined) {
    return ledger
  }
  const commit = ledger.commit.bind(ledger)
  const broken = async (...writes: LedgerWrite[]): Promise<void> => {
    if (breakage === 'early') {
      void commit(...writes)
      return
    }
    const kept = writes.filter(write => write.kind !== 'payer' || write.record.pending === undefined)
    await (kept.length === 0 ? undefined : commit(...kept))
  }
  return Object.assign(ledger, { commit: broken })
}
