import { parseRawAddress } from '../../core/address.ts'
import { ed25519PublicKey, ed25519Verify } from '../../core/ed25519.ts'
import { PeerError } from '../../core/errors.ts'
import type { CoopCloseOrder } from '../chain.ts'
import { closeHash } from '../voucher-hash.ts'
import type { PayerChannel } from './payer-channel.ts'

/**
 * Checks the payee's agreement before it is stored or sent.
 *
 * @throws {PeerError} `CLOSE_ORDER_INVALID`
 */
export function requireFairClose(c: PayerChannel, order: CoopCloseOrder): void {
  const { openedLt, cumulative, validUntil, payeeSignature } = order
  const { globalId, payeeKey } = c.terms
  const hash = closeHash({ globalId, channel: parseRawAddress(c.channel), openedLt, cumulative, validUntil })
  const problem =
    openedLt !== c.openedLt
      ? 'it is of another opening'
      : cumulative > c.signed
        ? `it is over ${cumulative} nanotons and only ${c.signed} were signed`
        : cumulative < c.settled
          ? `it is over ${cumulative} nanotons and ${c.settled} are settled`
          : ed25519Verify(ed25519PublicKey(payeeKey), hash, payeeSignature)
            ? undefined
            : "it is not signed with the payee's key"
  if (problem !== undefined) {
    throw new PeerError('CLOSE_ORDER_INVALID', `The payee's agreement to close ${c.channel} cannot be used: ${problem}`)
  }
}
