/** What an enclave's evidence proves, strongest first; `simulated` proves nothing. */
export const TIERS = ['tdx+gpu', 'tdx', 'snp', 'simulated'] as const

export type Tier = (typeof TIERS)[number]
