import { randomBytes } from 'node:crypto'

/** Source of randomness, injected so that tests can repeat a run. */
export interface Random {
  bytes(length: number): Uint8Array
}

export const systemRandom: Random = { bytes: length => new Uint8Array(randomBytes(length)) }
