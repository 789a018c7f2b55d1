import type { ChannelTerms, CoopCloseOrder } from './chain.ts'
import type { JobLine } from './job-line.ts'
import type { PayeeChannel } from './payee-channel.ts'
import type { PayerChannel, PendingDeposit } from './payer-channel.ts'
import {
  amountField,
  bytesField,
  choiceField,
  type FieldCodec,
  integerField,
  listField,
  objectField,
  textField,
  uint64Field,
  withDefaults
} from './record-codec.ts'

const terms = objectField<ChannelTerms>({
  globalId: integerField,
  payerKey: bytesField(32),
  payerAddress: textField,
  payeeKey: bytesField(32),
  payeeAddress: textField,
  salt: uint64Field,
  challengeSeconds: integerField
})

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

export const payeeRecord = objectField<PayeeChannel>({
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
  running: listField(textField)
})

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
