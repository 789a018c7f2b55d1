import { type AbortOptions, anySignal, throwIfAborted } from '../core/abort.ts'
import { toHex } from '../core/bytes.ts'
import { errorCode } from '../core/errors.ts'
import type { Capacity, Mesh } from '../mesh/index.ts'
import type { PayerChannelInfo } from '../payments/index.ts'
import type { ClientChannels } from './channels.ts'

/** What became of a channel that was found on the chain. */
export interface RecoveredChannel {
  /** As it is now: `open` can be used; `recovered` and `closing` are to be closed. */
  channel: PayerChannelInfo
  /** Why it could not be agreed on with its provider: a stable code; undefined if it was. */
  problem?: string
}

export interface ResumeComponents {
  mesh: Pick<Mesh, 'findProviders' | 'connect'>
  channels: Pick<ClientChannels, 'resume'>
  /** How long providers are looked for, milliseconds. */
  timeoutMs: number
}

/**
 * Looks for the providers of recovered channels by whom the channels pay, and agrees with them on what was signed.
 *
 * @throws what discovery throws
 */
export async function resumeChannels(
  components: ResumeComponents,
  recovered: readonly PayerChannelInfo[],
  options: AbortOptions = {}
): Promise<RecoveredChannel[]> {
  const { mesh, channels, timeoutMs } = components
  // One that is being closed, or that another key signs for, needs no provider.
  const results = new Map<string, RecoveredChannel>(
    recovered.map(channel => [
      channel.channel,
      channel.state === 'recovered' ? { channel, problem: 'CAPACITY_NOT_FOUND' } : { channel }
    ])
  )
  const missing = new Set(recovered.filter(({ state }) => state === 'recovered').map(payee))
  if (missing.size === 0) {
    return [...results.values()]
  }
  for await (const capacity of mesh.findProviders({}, { timeoutMs, signal: anySignal(options.signal) })) {
    const key = payeeKeyOf(capacity)
    if (!missing.delete(key)) {
      continue
    }
    const mine = recovered.filter(channel => channel.state === 'recovered' && payee(channel) === key)
    try {
      await mesh.connect(capacity.peerId, capacity.addresses, options)
      for (const channel of await channels.resume(capacity, options)) {
        results.set(channel.channel, { channel })
      }
    } catch (err) {
      throwIfAborted(options.signal)
      mine.forEach(channel => results.set(channel.channel, { channel, problem: errorCode(err) ?? 'PROVIDER_FAILED' }))
    }
    if (missing.size === 0) {
      break
    }
  }
  return [...results.values()]
}

function payee({ payeeAddress, terms }: PayerChannelInfo): string {
  return `${payeeAddress}/${toHex(terms.payeeKey)}`
}

function payeeKeyOf({ payment }: Capacity): string {
  return `${payment.payeeAddress}/${toHex(payment.payeeKey)}`
}
