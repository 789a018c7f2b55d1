import { ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { ChannelTerms, CoopCloseOrder } from '../chain.ts'
import { type AgreedTotal, NOTHING_AGREED, type PayeeChannel } from '../payee/payee-channel.ts'
import type { PayerChannel, PendingDeposit } from '../payer/payer-channel.ts'
import type { SpendingDay } from '../payer/spending.ts'
import type { JobLine } from './job-line.ts'
import {
  amountField,
  bytesField,
  choiceField,
  type FieldCodec,
  flagField,
  integerField,
  listField,
  objectField,
  textField,
  uint64Field,
  unchangingField,
  withDefaults
} from './record-codec.ts'

// A channel's address is made of them: written anew with every voucher, and never another.
const terms = unchangingField(
  objectField<ChannelTerms>({
    globalId: integerField,
    payerKey: bytesField(32),
    payerAddress: textField,
    payeeKey: bytesField(32),
    payeeAddress: textField,
    salt: uint64Field,
    challengeSeconds: integerField
  })
)

const pending = objectField<PendingDeposit>({ amount: amountField, before: amountField, sentAtMs: integerField })

const closeOrder = objectField<CoopCloseOrder>({
  openedLt: uint64Field,
  cumulative: amountField,
  validUntil: integerField,
  payeeSignature: bytesField(64)
})

const payerFields = objectField<PayerChannel>(
  {
    channel: textField,
    terms,
    peerId: textField,
    state: choiceField('opening', 'open', 'recovered', 'closing', 'closed'),
    openedLt: uint64Field,
    deposit: amountField,
    settled: amountField,
    signed: amountField,
    signature: bytesField(),
    spent: amountField,
    uncertain: amountField,
    promised: amountField,
    running: listField(textField),
    pending,
    closeOrder,
    openedAtMs: integerField,
    lastUsedAtMs: integerField,
    closeAtMs: integerField,
    viewedAtMs: integerField
  },
  ['pending', 'closeOrder', 'openedAtMs', 'lastUsedAtMs', 'closeAtMs', 'viewedAtMs']
)

/** Records of version 0.1.0 have no times. */
export const payerRecord: FieldCodec<PayerChannel> = withDefaults(payerFields, {
  openedAtMs: 0,
  lastUsedAtMs: 0,
  closeAtMs: 0,
  viewedAtMs: 0
})

/** Records of version 0.1.0 lack these. */
const PAYEE_DEFAULTS = {
  uncertain: ZERO_NANO_TON,
  charged: ZERO_NANO_TON,
  agreed: NOTHING_AGREED,
  viewedAtMs: 0,
  closeAtMs: 0,
  unclaimedSinceMs: 0,
  lastUsedAtMs: 0,
  needsResync: false
} satisfies Partial<PayeeChannel>

const payeeFields = objectField<PayeeChannel>(
  {
    channel: textField,
    terms,
    peerId: textField,
    state: choiceField('open', 'closing', 'closed'),
    openedLt: uint64Field,
    deposit: amountField,
    settled: amountField,
    accepted: amountField,
    signature: bytesField(),
    delivered: amountField,
    uncertain: amountField,
    charged: amountField,
    running: listField(textField),
    agreed: objectField<AgreedTotal>({ cumulative: amountField, validUntil: integerField }),
    viewedAtMs: integerField,
    closeAtMs: integerField,
    unclaimedSinceMs: integerField,
    lastUsedAtMs: integerField,
    needsResync: flagField
  },
  Object.keys(PAYEE_DEFAULTS) as Array<keyof typeof PAYEE_DEFAULTS>
)

export const payeeRecord: FieldCodec<PayeeChannel> = withDefaults(payeeFields, PAYEE_DEFAULTS)

export const jobRecord = objectField<JobLine>({
  role: choiceField('payer', 'payee'),
  jobId: textField,
  channel: textField,
  peerId: textField,
  startedAtMs: integerField,
  outcome: choiceField('running', 'ended', 'interrupted'),
  promptTokens: integerField,
  cachedPromptTokens: integerField,
  completionTokens: integerField,
  cost: amountField,
  paid: amountField
})

export const spendingRecord = objectField<SpendingDay>({ day: textField, signed: amountField, deposited: amountField })
