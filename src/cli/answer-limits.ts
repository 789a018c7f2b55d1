/** Longest answer unless told otherwise, in tokens: fits the small model's context beside a question. */
export const DEFAULT_MAX_TOKENS = 256

/** Longest answer anyone may ask for, in tokens. */
export const MAX_TOKENS_LIMIT = 1_048_576

export const MAX_UINT32 = 0xffff_ffff
