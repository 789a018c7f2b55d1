import type { VoucherTerms } from '../attest/index.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { CancelledError } from '../core/errors.ts'
import { maxNano, minNano, type NanoTon } from '../core/nano-ton.ts'
import type { Capacity } from '../mesh/index.ts'
import {
  type DepositPolicy,
  initialAuthorization,
  type JobBounds,
  MAX_OPENING_TOKENS,
  maxJobCost,
  type Pace,
  type PayerChannelInfo,
  type PayerJob,
  startPace
} from '../payments/index.ts'
import { responseOpener } from '../seal/index.ts'
import type { Recipient } from '../wire/announcement.ts'
import type { PrivacyMode } from '../wire/job-request.ts'
import type { JobUpMessage } from '../wire/job-stream.ts'
import { LIMITS } from '../wire/limits.ts'
import type { Offer } from '../wire/offer.ts'
import { PROTOCOLS } from '../wire/protocols.ts'
import type { SealedJob } from './announce-job.ts'
import type { AttestedPeer } from './attested-peers.ts'
import type { ClientChannels } from './channels.ts'
import { checkReceipt } from './check-receipt.ts'
import type { Candidate } from './directory.ts'
import type { AnswerEvent } from './events.ts'
import { JobRun, type JobRunEvent } from './job-run.ts'
import type { ClientComponents } from './ports.ts'

/** A sealed job and the provider that is going to run it. */
export interface ReadyJob {
  candidate: Candidate
  peer: AttestedPeer
  terms: Pick<Offer, 'prices' | 'windowTokens' | 'minimumDeposit'> & Partial<Pick<Offer, 'maxCost'>>
  sealed: SealedJob
  /** Sent directly to a known provider rather than announced. */
  warm: boolean
}

export interface AnswerSettings {
  modelDigestHex: string
  maxTokens: number
  /** Size of the request before sealing. */
  requestBytes: number
  stallTimeoutMs: number
  depositPolicy: DepositPolicy
  /** Completion tokens this client prepays at a time at most, whatever a provider asks for. */
  maxWindowTokens: number
  privacy: PrivacyMode
}

export type AnswerComponents = ClientComponents & { channels: ClientChannels }

/** Runs one job with its provider: channel, job stream, text, receipt. */
export async function* answer(
  components: AnswerComponents,
  job: ReadyJob,
  settings: AnswerSettings,
  signal: AbortSignal | undefined
): AsyncGenerator<AnswerEvent> {
  const { mesh, payer, channels, clock } = components
  const { candidate, peer, sealed } = job
  const bounds = jobBounds(job, settings)
  const maxCost = mostOf(job, bounds)
  const abort = signal === undefined ? {} : { signal }
  // Whatever can be refused is refused before money moves: limits, and a provider that is gone.
  payer.requireAffordable(maxCost)
  await mesh.connect(peer.peerId, candidate.capacity.addresses, abort)
  const channel = await channels.ensure(payeeOf(job), { ...settings.depositPolicy, room: maxCost }, abort)
  const target = sealed.peers.find(one => one.peer.peerId === peer.peerId) as SealedJob['peers'][number]
  const opener = responseOpener(target.responseKey, sealed.jobId)
  const payerJob = payer.startJob(channel.channel, { jobId: toHex(sealed.jobId), maxCost })
  let run: JobRun | undefined
  let confirmed = false
  try {
    // Signing and storing the first voucher takes as long as opening the stream: both at once.
    const pace = paceFor(components, job, settings, bounds)
    const firstVoucher = payerJob.payUpTo(minNano(initialAuthorization(bounds, pace), maxCost))
    firstVoucher.catch(() => undefined)
    const stream = await mesh.open(peer.peerId, PROTOCOLS.job, { maxFrameBytes: LIMITS.jobFrameBytes, ...abort })
    run = new JobRun(
      { stream, opener, payerJob, payer, clock },
      {
        peerId: peer.peerId,
        open: openMessage(job, settings, channel, target.recipient),
        ...(sealed.body.kind === 'later' ? { laterBody: sealed.sealedRequest } : {}),
        firstVoucher,
        bounds,
        ...(settings.privacy === 'strict' ? {} : { pace }),
        stallTimeoutMs: settings.stallTimeoutMs,
        privacy: settings.privacy
      }
    )
    const decoder = new TextDecoder()
    let announced = false
    for await (const event of run.events(signal)) {
      if (!announced) {
        announced = true
        yield {
          type: 'provider',
          peerId: peer.peerId,
          tier: peer.enclave.tier,
          warm: job.warm,
          channel: channel.channel
        }
      }
      if (event.type === 'text') {
        yield { type: 'text', text: decoder.decode(event.bytes, { stream: true }) }
        continue
      }
      const stored = storeReceipt(components, job, settings, channel, payerJob, run, event, opener.chainHash)
      confirmed = true
      await Promise.all([
        payerJob.end({ cost: run.cost, usage: run.usage, confirmed }),
        components.receipts.save(stored)
      ])
      if (signal?.aborted === true) {
        throw new CancelledError()
      }
      yield {
        type: 'end',
        finishReason: event.finishReason,
        usage: run.usage,
        cost: run.cost,
        paid: run.paid,
        vouchers: run.vouchers,
        receipt: stored
      }
    }
  } finally {
    opener.wipe()
    if (!confirmed) {
      const usage = run?.usage ?? { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }
      await payerJob.end({ cost: run?.cost ?? payerJob.paid, usage, confirmed })
    }
  }
}

function jobBounds(
  { terms }: ReadyJob,
  { requestBytes, maxTokens, maxWindowTokens, privacy }: AnswerSettings
): JobBounds {
  const windowTokens = Math.min(terms.windowTokens, maxWindowTokens)
  return {
    prices: terms.prices,
    requestBytes,
    windowTokens,
    // A step is paid as soon as the one before came: asked for, it would show when it was made.
    ...(privacy === 'strict' ? { lowTokens: windowTokens } : {}),
    openingTokens: Math.min(terms.windowTokens, MAX_OPENING_TOKENS),
    maxCompletionTokens: maxTokens
  }
}

/** The most the job may cost, by our own figures and by the provider's offer. */
function mostOf({ terms }: ReadyJob, bounds: JobBounds): NanoTon {
  const most = maxJobCost(bounds)
  return terms.maxCost === undefined ? most : minNano(most, terms.maxCost)
}

/** The record says who is paid; the offer may ask for more than the record did. */
function payeeOf({ candidate, terms }: ReadyJob): Pick<Capacity, 'peerId' | 'payment'> {
  const { peerId, payment } = candidate.capacity
  return { peerId, payment: { ...payment, minimumDeposit: maxNano(payment.minimumDeposit, terms.minimumDeposit) } }
}

function paceFor(
  { mesh }: AnswerComponents,
  { candidate, peer }: ReadyJob,
  { modelDigestHex }: AnswerSettings,
  { windowTokens }: JobBounds
): Pace {
  const roundTripMs = mesh.peers().find(({ peerId }) => peerId === peer.peerId)?.rttMs
  const model = candidate.capacity.models.find(({ digest }) => toHex(digest) === modelDigestHex)
  return startPace({
    maxTokens: windowTokens,
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
    ...(model === undefined || model.tokensPerSecond <= 0 ? {} : { tokensPerSecond: model.tokensPerSecond })
  })
}

function openMessage(
  { sealed, warm }: ReadyJob,
  settings: AnswerSettings,
  channel: PayerChannelInfo,
  recipient: Recipient
): Omit<Extract<JobUpMessage, { type: 'open' }>, 'type' | 'voucher'> {
  const direct = {
    modelDigest: fromHex(settings.modelDigestHex, LIMITS.digestBytes),
    maxCompletionTokens: settings.maxTokens,
    recipient,
    body: sealed.body
  }
  return { jobId: sealed.jobId, channel: channel.terms, ...(warm ? { direct } : {}) }
}

function storeReceipt(
  { mesh, payer }: AnswerComponents,
  { peer, sealed, terms }: ReadyJob,
  { modelDigestHex }: AnswerSettings,
  channel: PayerChannelInfo,
  payerJob: PayerJob,
  run: JobRun,
  done: Extract<JobRunEvent, { type: 'done' }>,
  answerDigest: Uint8Array
) {
  const { receipt, receiptSignature } = done
  checkReceipt(receipt, receiptSignature, peer, {
    jobId: sealed.jobId,
    requestDigest: sealed.requestDigest,
    answerDigest,
    modelDigestHex,
    usage: run.usage,
    prices: terms.prices,
    channel: channel.channel,
    openedLt: channel.openedLt,
    clientPeerId: mesh.peerId
  })
  const voucher = payer.highest(payerJob.channel)
  const { statement, evidence, peerSignature, challenge } = peer
  return {
    receipt,
    signature: receiptSignature,
    statement,
    evidence,
    peerSignature,
    challenge,
    ...(voucher === undefined
      ? {}
      : {
          finalVoucher: {
            channel: voucher.channel,
            openedLt: voucher.openedLt.toString(),
            cumulative: voucher.cumulative.toString(),
            signature: voucher.signature,
            terms: termsAsText(channel.terms)
          }
        })
  }
}

function termsAsText({ payerKey, payeeKey, salt, ...rest }: PayerChannelInfo['terms']): VoucherTerms {
  return { ...rest, payerKey: toHex(payerKey), payeeKey: toHex(payeeKey), salt: salt.toString() }
}
