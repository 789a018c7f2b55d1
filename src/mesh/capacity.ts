import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'
import { type VramClass, vramClass } from './vram-class.ts'

/** A model a provider has loaded and tested. */
export interface CapacityModel {
  name: string
  /** SHA-256 of the GGUF file, 32 bytes. */
  digest: Uint8Array
  contextTokens: number
  quantization: string
  /** Measured completion tokens per second of one stream. */
  tokensPerSecond: number
}

export interface CapacityGpu {
  name: string
  vramTotalBytes: number
  vramFreeBytes: number
}

export interface CapacityPayment {
  /** Ed25519 key that signs cooperative closes, 32 bytes. */
  payeeKey: Uint8Array
  payeeAddress: string
  minimumDeposit: NanoTon
  /** TON global ids the provider is paid on. */
  networks: number[]
}

/** What a provider says it can do (design §3). Signed by its peer key, so it speaks for itself and nobody else. */
export interface Capacity {
  peerId: string
  /** Multiaddrs without or with the trailing `/p2p/<id>`. */
  addresses: string[]
  models: CapacityModel[]
  gpus: CapacityGpu[]
  /** `cuda`, `vulkan`, `metal` or `cpu`. */
  backend: string
  slotsTotal: number
  slotsFree: number
  prices: TokenPrices
  /** TEE tier: `tdx+gpu`, `tdx`, `snp` or `simulated`. */
  tier: string
  /** SHA-256 of the attestation statement, 32 bytes. */
  statementDigest: Uint8Array
  payment: CapacityPayment
  /** Grows with every publishing, over restarts too: Unix milliseconds do. */
  sequence: bigint
  expiresAtMs: number
}

/** What a client looks for. Everything given must hold; nothing given means every provider. */
export interface CapacityQuery {
  /** SHA-256 of the GGUF file, 32 bytes. */
  modelDigest?: Uint8Array
  tier?: string
  /** One of `VRAM_CLASSES`; matches that class exactly. */
  vramClass?: string
}

export function capacityVramClass(capacity: Capacity): VramClass {
  return vramClass(capacity.gpus.reduce((sum, gpu) => sum + gpu.vramTotalBytes, 0))
}

export function matchesQuery(capacity: Capacity, query: CapacityQuery): boolean {
  const { modelDigest, tier } = query
  return (
    (modelDigest === undefined || capacity.models.some(m => Buffer.compare(m.digest, modelDigest) === 0)) &&
    (tier === undefined || capacity.tier === tier) &&
    (query.vramClass === undefined || capacityVramClass(capacity) === query.vramClass)
  )
}
