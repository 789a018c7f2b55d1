import { parseRawAddress } from '../../core/address.ts'
import { type Ed25519KeyPair, ed25519Sign } from '../../core/ed25519.ts'
import { maxNano, minNano } from '../../core/nano-ton.ts'
import { PaymentRefusal } from '../refusal.ts'
import { closeHash } from '../voucher-hash.ts'
import { type PayeeChannel, requireServing } from './payee-channel.ts'
import type { AgreedClose } from './payee-types.ts'

/** How long the payer has to send a close we agreed to, seconds. */
const CLOSE_VALID_SECONDS = 3_600

/** An agreement with less time left than this is made anew, seconds. */
const CLOSE_WORTH_SECONDS = 600

/**
 * The channel once we agreed to close it: at what was delivered, never below what is settled nor above what was signed.
 * Asked again, it is the same total until the same second, as long as that leaves time to send it.
 *
 * @param chainNowMs no earlier than the chain's time
 * @throws {PaymentRefusal} `CHANNEL_CLOSED`, `CHANNEL_BUSY`, `CHANNEL_RESYNC`
 */
export function agreeToClose(c: PayeeChannel, chainNowMs: number): PayeeChannel {
  if (c.state === 'closed' || c.needsResync) {
    requireServing(c.state === 'closed' ? c : { ...c, state: 'open' })
  }
  if (c.running.length > 0) {
    throw new PaymentRefusal('CHANNEL_BUSY', `${c.running.length} jobs run on channel ${c.channel}: cancel them first`)
  }
  const cumulative = maxNano(c.settled, minNano(c.delivered, c.accepted))
  const nowSeconds = Math.floor(chainNowMs / 1000)
  const holds = c.agreed.cumulative === cumulative && c.agreed.validUntil - nowSeconds > CLOSE_WORTH_SECONDS
  const agreed = holds ? c.agreed : { cumulative, validUntil: nowSeconds + CLOSE_VALID_SECONDS }
  return { ...c, state: 'closing', agreed }
}

/** Our signature on the close that a record says we agreed to. */
export function signClose(key: Ed25519KeyPair, { channel, openedLt, terms, agreed }: PayeeChannel): AgreedClose {
  const { cumulative, validUntil } = agreed
  const total = {
    globalId: terms.globalId,
    channel: parseRawAddress(channel),
    openedLt,
    cumulative,
    validUntil
  }
  return { channel, openedLt, cumulative, validUntil, payeeSignature: ed25519Sign(key.privateKey, closeHash(total)) }
}
