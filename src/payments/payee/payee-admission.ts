import { toHex } from '../../core/bytes.ts'
import type { NanoTon } from '../../core/nano-ton.ts'
import type { ChannelTerms, ChannelView } from '../chain.ts'
import { PaymentRefusal } from '../refusal.ts'
import type { PayeeChannel } from './payee-channel.ts'

/** What the payee asks of a channel before it serves on it. */
export interface AdmissionRules {
  minimumDeposit: NanoTon
  minimumChallengeSeconds: number
}

/**
 * Checks what the chain says about a channel that a client wants to pay with.
 *
 * @throws {PaymentRefusal} `CHANNEL_MISSING`, `CHANNEL_CLOSING`, `CHANNEL_DEPOSIT_TOO_LOW` or `CHANNEL_CHALLENGE_TOO_SHORT`
 */
export function requireAdmissible(
  terms: ChannelTerms,
  channel: string,
  view: ChannelView,
  rules: AdmissionRules
): void {
  if (view.state === 'missing') {
    throw new PaymentRefusal('CHANNEL_MISSING', `Channel ${channel} is not on the chain: open it first`)
  }
  if (view.state === 'closing') {
    throw new PaymentRefusal('CHANNEL_CLOSING', `Channel ${channel} is being closed: open another one`)
  }
  if (view.deposit < rules.minimumDeposit) {
    throw new PaymentRefusal(
      'CHANNEL_DEPOSIT_TOO_LOW',
      `Channel ${channel} holds ${view.deposit} nanotons: at least ${rules.minimumDeposit} are asked for`,
      { details: { deposit: view.deposit, minimum: rules.minimumDeposit } }
    )
  }
  if (terms.challengeSeconds < rules.minimumChallengeSeconds) {
    throw new PaymentRefusal(
      'CHANNEL_CHALLENGE_TOO_SHORT',
      `Channel ${channel} leaves ${terms.challengeSeconds} s for claims: at least ${rules.minimumChallengeSeconds} are asked for`
    )
  }
}

/**
 * Checks that a channel would pay us, here.
 *
 * @throws {PaymentRefusal} `CHANNEL_FOREIGN`
 */
export function requireOurs(
  terms: ChannelTerms,
  ours: Pick<ChannelTerms, 'globalId' | 'payeeKey' | 'payeeAddress'>
): void {
  const problem =
    terms.globalId !== ours.globalId
      ? `it is on network ${terms.globalId}, not ${ours.globalId}`
      : toHex(terms.payeeKey) !== toHex(ours.payeeKey)
        ? 'its payee key is not ours'
        : terms.payeeAddress !== ours.payeeAddress
          ? 'its payee address is not ours'
          : /^(?:0|-1):[0-9a-f]{64}$/.test(terms.payerAddress)
            ? undefined
            : 'its payer address is not a raw address'
  if (problem !== undefined) {
    throw new PaymentRefusal('CHANNEL_FOREIGN', `The channel cannot pay us: ${problem}`)
  }
}

/**
 * A claimed voucher is public: whoever replays it must not get at the credit behind it.
 *
 * @throws {PaymentRefusal} `CHANNEL_FOREIGN`
 */
export function requireClient(c: PayeeChannel, from: string): void {
  if (c.peerId !== '' && c.peerId !== from) {
    throw new PaymentRefusal('CHANNEL_FOREIGN', `Channel ${c.channel} is used by another client: open one of your own`)
  }
}
