import { formatTonAmount } from '../core/nano-ton.ts'
import type { AdvertisedProvider } from './node-port.ts'
import type { JsonObject } from './output.ts'
import { renderTable } from './table.ts'
import { safeLine } from './terminal-text.ts'

const HEADER = ['PEER', 'MODEL', 'DIGEST', 'TIER', 'BACKEND', 'GPU', 'TOKENS/S', 'SLOTS', 'TON/M IN', 'TON/M OUT']
const GIB = 1024 ** 3

/** One row a model of each provider. */
export function renderProviders(providers: readonly AdvertisedProvider[]): string {
  return renderTable(
    HEADER,
    providers.flatMap(provider =>
      provider.models.map(model => [
        provider.peerId,
        safeLine(model.name, 32),
        hex(model.digest).slice(0, 12),
        safeLine(provider.tier, 16),
        safeLine(provider.backend, 12),
        describeGpus(provider.gpus),
        model.tokensPerSecond.toFixed(model.tokensPerSecond < 10 ? 1 : 0),
        `${provider.slotsFree}/${provider.slotsTotal}`,
        formatTonAmount(provider.prices.promptPerMTokens),
        formatTonAmount(provider.prices.completionPerMTokens)
      ])
    )
  )
}

/** A provider's record as one object. */
export function providerObject(provider: AdvertisedProvider): JsonObject {
  const { prices, payment } = provider
  return {
    peerId: provider.peerId,
    addresses: provider.addresses,
    models: provider.models.map(({ digest, ...model }) => ({ ...model, digest: hex(digest) })),
    tier: provider.tier,
    backend: provider.backend,
    gpus: provider.gpus.map(gpu => ({ ...gpu })),
    slotsFree: provider.slotsFree,
    slotsTotal: provider.slotsTotal,
    pricesNano: { ...prices },
    minimumDepositNano: payment.minimumDeposit,
    networks: payment.networks,
    expiresAtMs: provider.expiresAtMs
  }
}

function describeGpus(gpus: AdvertisedProvider['gpus']): string {
  const [first, ...others] = gpus
  if (first === undefined) {
    return '-'
  }
  const vram = `${(first.vramFreeBytes / GIB).toFixed(0)}/${(first.vramTotalBytes / GIB).toFixed(0)} GiB`
  return `${safeLine(first.name, 24)} ${vram}${others.length === 0 ? '' : ` +${others.length}`}`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
