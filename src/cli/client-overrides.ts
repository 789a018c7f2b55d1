import type { NanoTon } from '../core/nano-ton.ts'
import type { Sealing } from './sealing.ts'
import type { Overrides } from './with-node.ts'

/** Options of commands that ask. */
export interface ClientOptions extends Partial<Sealing> {
  /** Most paid per million tokens, prompt or answer. */
  maxPrice?: NanoTon
  candidates?: number
}

/** Those options as changes of the client's configuration. */
export function clientOverrides({ maxPrice, candidates, privacy, suite }: ClientOptions): Overrides {
  return config => ({
    ...config,
    client: {
      ...config.client,
      ...(candidates === undefined ? {} : { candidates }),
      ...(privacy === undefined ? {} : { privacy }),
      ...(suite === undefined ? {} : { suite }),
      ...(maxPrice === undefined ? {} : { maxPrices: { promptPerMTokens: maxPrice, completionPerMTokens: maxPrice } })
    }
  })
}
