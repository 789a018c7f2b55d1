import type { Transaction } from '@ton/core'
import type { Transfer, WalletMessage } from './wallet-message.ts'

/**
 * What became of a message to the wallet. `displaced` and `expired` are proofs that it never lands: another message
 * took its seqno, or the chain's time is past its validity.
 */
export type Fate = { kind: 'landed'; transaction: Transaction } | { kind: 'displaced' } | { kind: 'expired' }

/** The wallet as an endpoint shows it. */
export interface WalletState {
  seqno: number
  /** Unix seconds of the chain. */
  chainTime: number
}

/**
 * Judges by the chain alone, never by what `sendBoc` answered: a refusal may come from a server that has seen the
 * message land already. Undefined while both are possible.
 *
 * @param history every transaction of the wallet from `message.afterLt` to the state's last one at least; undefined if
 *   the endpoint does not show them all
 */
export function fateOf(
  message: Pick<WalletMessage, 'bodyHash' | 'seqno' | 'validUntil'>,
  state: WalletState,
  history: readonly Transaction[] | undefined
): Fate | undefined {
  const transaction = history?.find(tx => externalBodyHash(tx)?.equals(message.bodyHash))
  if (transaction !== undefined) {
    return { kind: 'landed', transaction }
  }
  if (history === undefined) {
    return undefined
  }
  if (state.seqno > message.seqno) {
    return { kind: 'displaced' }
  }
  return state.chainTime > message.validUntil ? { kind: 'expired' } : undefined
}

/** Hash of the body that came from outside; undefined for a message of another account. */
export function externalBodyHash({ inMessage }: Transaction): Buffer | undefined {
  return inMessage?.info.type === 'external-in' ? inMessage.body.hash() : undefined
}

/**
 * Which transfers left the wallet in this transaction, with the creation time of each one's message; undefined where it
 * was dropped, which W5 does without a word when the balance is short. Equal transfers are told apart by their order.
 */
export function sentTransfers(transaction: Transaction, transfers: readonly Transfer[]): Array<bigint | undefined> {
  const left = transaction.outMessages.values()
  return transfers.map(transfer => {
    const index = left.findIndex(
      ({ info, body, init }) =>
        info.type === 'internal' &&
        info.dest.equals(transfer.to) &&
        info.value.coins === transfer.value &&
        (transfer.body === undefined ? body.bits.length === 0 && body.refs.length === 0 : body.equals(transfer.body)) &&
        (transfer.init === undefined) === (init === null || init === undefined)
    )
    const info = index === -1 ? undefined : left.splice(index, 1)[0]?.info
    return info?.type === 'internal' ? info.createdLt : undefined
  })
}
