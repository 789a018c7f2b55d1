import { CLAIM_MUTANTS } from './list-claim.ts'
import { CLOSE_MUTANTS } from './list-close.ts'
import { COMMON_MUTANTS } from './list-common.ts'
import { EXTERNAL_MUTANTS } from './list-external.ts'
import { FUND_MUTANTS } from './list-fund.ts'
import type { Mutant } from './mutant.ts'

/** Every mutant of the contract. `npm run mutants` demands that a test fails for each. */
export const MUTANTS: readonly Mutant[] = [
  ...FUND_MUTANTS,
  ...CLAIM_MUTANTS,
  ...EXTERNAL_MUTANTS,
  ...CLOSE_MUTANTS,
  ...COMMON_MUTANTS
]
