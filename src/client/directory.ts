import { type AbortOptions, anySignal } from '../core/abort.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { NetworkError } from '../core/errors.ts'
import { type CandidateFacts, type CandidateNeeds, excludeCandidate, rankCandidates } from '../market/index.ts'
import type { Capacity, Mesh } from '../mesh/index.ts'

/** A provider of the wanted model. */
export interface Candidate extends CandidateFacts {
  capacity: Capacity
}

/** Plain words for why providers that exist cannot be used. */
const EXCLUSIONS = {
  'other-provider': 'not the one asked for',
  tier: 'attestation tier not accepted by the policy',
  price: 'price above the cap',
  network: 'paid on another network'
} as const

/**
 * Providers of a model, best first.
 *
 * @throws {NetworkError} `NO_PROVIDERS` if none advertises the model, `NO_USABLE_PROVIDER` with the reasons if none fits
 */
export async function findCandidates(
  mesh: Pick<Mesh, 'findProviders' | 'peerId'>,
  modelDigestHex: string,
  needs: CandidateNeeds,
  options: AbortOptions & {
    timeoutMs: number
    /** Usable providers with a free place after which the search ends. */
    enough: number
    /** Jobs of this client that run at a provider now: their places are not free, whatever an older record says. */
    running?: (peerId: string) => number
  }
): Promise<Candidate[]> {
  const found: Candidate[] = []
  const records = mesh.findProviders(
    { modelDigest: fromHex(modelDigestHex, 32) },
    { signal: anySignal(options.signal), timeoutMs: options.timeoutMs }
  )
  for await (const capacity of records) {
    const candidate = candidateOf(capacity, modelDigestHex)
    const full = (options.running?.(candidate.peerId) ?? 0) >= candidate.slotsTotal
    found.push(full ? { ...candidate, slotsFree: 0 } : candidate)
    const free = found.filter(one => one.slotsFree > 0 && excludeCandidate(one, needs) === undefined)
    if (free.length >= options.enough) {
      break
    }
  }
  if (found.length === 0) {
    throw new NetworkError(
      'NO_PROVIDERS',
      `No provider of the model ${modelDigestHex.slice(0, 12)}… was found: list what is there with "cocoon-node providers"`,
      { details: { model: modelDigestHex } }
    )
  }
  const ranked = rankCandidates(found, needs, mesh.peerId)
  if (ranked.length === 0) {
    throw new NetworkError(
      'NO_USABLE_PROVIDER',
      `${found.length} provider(s) found, none usable: ${reasons(found, needs)}`,
      {
        details: { model: modelDigestHex, found: found.length }
      }
    )
  }
  return ranked
}

function candidateOf(capacity: Capacity, modelDigestHex: string): Candidate {
  const model = capacity.models.find(({ digest }) => toHex(digest) === modelDigestHex)
  return {
    peerId: capacity.peerId,
    tier: capacity.tier,
    prices: capacity.prices,
    slotsFree: capacity.slotsFree,
    slotsTotal: capacity.slotsTotal,
    tokensPerSecond: model?.tokensPerSecond ?? 0,
    networks: capacity.payment.networks,
    capacity
  }
}

function reasons(found: readonly CandidateFacts[], needs: CandidateNeeds): string {
  const counts = new Map<string, number>()
  for (const facts of found) {
    const exclusion = excludeCandidate(facts, needs)
    if (exclusion !== undefined) {
      counts.set(EXCLUSIONS[exclusion], (counts.get(EXCLUSIONS[exclusion]) ?? 0) + 1)
    }
  }
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ')
}
