import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import { ed25519PublicKey } from '../../core/ed25519.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { type NanoTon, subNanoFloor, ZERO_NANO_TON } from '../../core/nano-ton.ts'
import type { ChannelTerms, ChannelView } from '../chain.ts'
import { type GuardRules, type GuardStep, nextGuardStep } from '../lifecycle/guard-step.ts'
import { verifyVoucher } from '../voucher.ts'
import type { WatchVoucher } from './watch-file.ts'
import { Watcher, watchPaceMs } from './watcher.ts'
import type { GuardChain, GuardEvent, GuardNews } from './watcher-types.ts'

export interface VoucherGuardComponents {
  chain: GuardChain
  clock: Clock
  onEvent: (event: GuardEvent) => void
  /** Waits between looks; injected so that tests own time. */
  delay?: (ms: number, signal?: AbortSignal) => Promise<void>
}

export interface VoucherGuardInit extends GuardRules {
  /** Longest time between two looks, milliseconds; undefined for one that fits the challenge period. */
  intervalMs: number | undefined
}

interface Guarded {
  channel: string
  /** Highest voucher whose signature was checked. */
  best: WatchVoucher | undefined
  /** Not checked yet: the chain was not read. */
  offers: WatchVoucher[]
  terms: ChannelTerms | undefined
  settled: NanoTon
  /** Chain time of the first look that showed it gone. */
  goneAsOfMs: number | undefined
  claim: Promise<void> | undefined
  /** The close that was told of, and whether it was too late then. */
  closing: string
  /** What is known to be paid, and told. */
  paid: NanoTon
  /** Trouble or refusal that was told last: it is told once while it lasts. */
  trouble: string
}

const FIRST_PACE_MS = 2_000
const MAX_OFFERS = 16

/**
 * Guards channels of somebody else with nothing but their latest vouchers: when the payer closes one alone, the voucher is
 * claimed with an external message, whose gas comes out of the payout. It can only pay the payee.
 */
export class VoucherGuard {
  readonly #components: VoucherGuardComponents
  readonly #init: VoucherGuardInit
  readonly #watcher: Watcher
  readonly #guarded = new Map<string, Guarded>()
  readonly #stopped = new AbortController()
  #onFinished: (() => void) | undefined

  /** Resolves once there is nothing left to guard, or with `claimNow` once every voucher was tried. */
  readonly finished = new Promise<void>(resolve => {
    this.#onFinished = resolve
  })

  constructor(components: VoucherGuardComponents, init: VoucherGuardInit) {
    this.#components = components
    this.#init = init
    this.#watcher = new Watcher(components, {
      watched: () => [...this.#guarded.values()].map(g => ({ channel: g.channel, paceMs: this.#paceMs(g) })),
      look: (channel, options) => this.#look(channel, options),
      onError: (channel, err) => this.#trouble(channel, 'look', err)
    })
  }

  /**
   * Takes a voucher to guard with. It counts once its signature was checked against the channel's own key, and never
   * replaces a higher one of its opening.
   *
   * @returns `lower` if a higher one is held already, `known` if it is held itself
   */
  offer(voucher: WatchVoucher): 'taken' | 'known' | 'lower' {
    const known = this.#guarded.get(voucher.channel)
    for (const held of [known?.best, ...(known?.offers ?? [])]) {
      if (held !== undefined && held.openedLt === voucher.openedLt && held.cumulative === voucher.cumulative) {
        if (Buffer.from(held.signature).equals(voucher.signature)) {
          return 'known'
        }
      }
    }
    if (known?.best !== undefined && !isBetter(voucher, known.best)) {
      return 'lower'
    }
    const guarded = known ?? newGuarded(voucher.channel)
    guarded.offers = [...guarded.offers, voucher].slice(-MAX_OFFERS)
    this.#guarded.set(voucher.channel, guarded)
    return 'taken'
  }

  start(): void {
    this.#watcher.start()
  }

  /** Begins nothing more; a claim that was handed in may still land. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#watcher.stop()
    await Promise.all([...this.#guarded.values()].flatMap(({ claim }) => claim ?? []))
  }

  #paceMs({ terms }: Guarded): number {
    const { intervalMs } = this.#init
    if (terms === undefined) {
      return Math.min(FIRST_PACE_MS, intervalMs ?? FIRST_PACE_MS)
    }
    const fitting = watchPaceMs(terms.challengeSeconds)
    // A quarter of the challenge period leaves time to claim, and to try again.
    return intervalMs === undefined ? fitting : Math.min(intervalMs, Math.max(fitting, terms.challengeSeconds * 250))
  }

  async #look(channel: string, options: AbortOptions): Promise<void> {
    const guarded = this.#guarded.get(channel)
    if (guarded === undefined) {
      return
    }
    const { chain } = this.#components
    const view = await chain.readChannel(channel, options)
    if (guarded.trouble.startsWith('look ')) {
      guarded.trouble = ''
    }
    if (view.state !== 'missing') {
      guarded.goneAsOfMs = undefined
      guarded.terms ??= await chain.readTerms(channel, options)
      this.#checkOffers(guarded, guarded.terms, view)
    }
    const voucher = guarded.best ?? (view.state === 'missing' ? guarded.offers.at(-1) : undefined)
    if (voucher === undefined) {
      this.#drop(guarded)
      return
    }
    if (view.openedLt === voucher.openedLt) {
      guarded.settled = view.settled
    }
    await this.#act(guarded, voucher, view, options)
  }

  /** Keeps of what was offered the highest that the channel's own key signed. */
  #checkOffers(guarded: Guarded, terms: ChannelTerms, view: ChannelView): void {
    const payerKey = ed25519PublicKey(terms.payerKey)
    for (const offer of guarded.offers) {
      const { cumulative: amount, globalId } = offer
      if (globalId !== terms.globalId || !verifyVoucher(payerKey, terms.globalId, offer)) {
        this.#tell(guarded, { type: 'refused', amount, reason: "it is not signed with the key of the channel's payer" })
      } else if (isBetter(offer, guarded.best)) {
        const first = guarded.best === undefined
        guarded.best = offer
        const { payeeAddress, challengeSeconds } = terms
        const due = view.openedLt === offer.openedLt ? subNanoFloor(amount, view.settled) : ZERO_NANO_TON
        this.#tell(
          guarded,
          first ? { type: 'watching', amount, due, payeeAddress, challengeSeconds } : { type: 'higher', amount }
        )
      }
    }
    guarded.offers = []
  }

  async #act(guarded: Guarded, voucher: WatchVoucher, view: ChannelView, options: AbortOptions): Promise<void> {
    const step = nextGuardStep(voucher, view, this.#init)
    switch (step.kind) {
      case 'claim':
        this.#claim(guarded, voucher, step, view)
        return
      case 'over':
        await this.#over(guarded, voucher, view, options)
        return
      case 'paid':
        if (view.settled > guarded.paid) {
          guarded.paid = view.settled
          this.#tell(guarded, { type: 'paid', amount: view.settled })
        }
        this.#doneIfNow(guarded)
        return
      case 'over-deposit':
        this.#tellOnce(guarded, step.kind, { type: step.kind, amount: voucher.cumulative, deposit: step.deposit })
        this.#doneIfNow(guarded)
        return
      default:
        return
    }
  }

  #claim(
    guarded: Guarded,
    voucher: WatchVoucher,
    step: Extract<GuardStep, { kind: 'claim' }>,
    { asOfMs }: ChannelView
  ): void {
    if (guarded.claim !== undefined || this.#stopped.signal.aborted) {
      return
    }
    const { due, closeAtMs, reason } = step
    if (reason === 'closing') {
      this.#tellClosing(guarded, due, closeAtMs, asOfMs >= closeAtMs)
    }
    const { openedLt, cumulative, signature } = voucher
    const { signal } = this.#stopped
    guarded.claim = this.#components.chain
      .claimExternally(guarded.channel, { openedLt, cumulative, signature }, { signal })
      .then(({ transaction }) => {
        guarded.settled = cumulative
        guarded.paid = cumulative
        this.#tell(guarded, { type: 'claimed', paid: due, transaction })
        this.#doneIfNow(guarded)
      })
      .catch((err: unknown) => this.#notClaimed(guarded, due, err))
      .finally(() => {
        guarded.claim = undefined
      })
  }

  #notClaimed(guarded: Guarded, due: NanoTon, err: unknown): void {
    const code = errorCode(err)
    if (this.#stopped.signal.aborted || code === 'NOTHING_TO_CLAIM' || code === 'CHANNEL_MISSING') {
      // The next look tells what happened instead.
      return
    }
    if (code === 'CLAIM_TOO_SMALL') {
      this.#tellOnce(guarded, code, { type: 'too-small', due, reason: errorMessage(err) })
      this.#doneIfNow(guarded)
      return
    }
    this.#trouble(guarded.channel, 'claim', err)
  }

  /** Gone for good only if a later block says so too: an endpoint that lags shows a live channel as missing. */
  async #over(guarded: Guarded, voucher: WatchVoucher, view: ChannelView, options: AbortOptions): Promise<void> {
    if (guarded.goneAsOfMs === undefined || view.asOfMs <= guarded.goneAsOfMs) {
      guarded.goneAsOfMs ??= view.asOfMs
      return
    }
    if (guarded.best === undefined) {
      const reason = 'there is no such channel on this chain: it was closed, or never opened'
      this.#tell(guarded, { type: 'refused', amount: voucher.cumulative, reason })
      this.#drop(guarded)
      return
    }
    const end = await this.#components.chain.howEnded(guarded.channel, voucher.openedLt, options)
    const unpaid = end === 'together' ? ZERO_NANO_TON : subNanoFloor(voucher.cumulative, guarded.settled)
    this.#tell(guarded, { type: 'over', end, unpaid })
    this.#drop(guarded)
  }

  #trouble(channel: string, where: 'look' | 'claim', err: unknown): void {
    const guarded = this.#guarded.get(channel)
    if (guarded !== undefined) {
      const code = errorCode(err) ?? 'INTERNAL'
      this.#tellOnce(guarded, `${where} ${code}`, { type: 'trouble', code, reason: errorMessage(err) })
      this.#doneIfNow(guarded)
    }
  }

  #tellClosing(guarded: Guarded, due: NanoTon, closeAtMs: number, late: boolean): void {
    const closing = `${closeAtMs} ${late}`
    if (closing !== guarded.closing) {
      guarded.closing = closing
      this.#tell(guarded, { type: 'closing', due, closeAtMs, late })
    }
  }

  #tellOnce(guarded: Guarded, trouble: string, news: GuardNews): void {
    if (trouble !== guarded.trouble) {
      guarded.trouble = trouble
      this.#tell(guarded, news)
    }
  }

  #tell({ channel }: Guarded, news: GuardNews): void {
    this.#components.onEvent({ channel, ...news })
  }

  #doneIfNow(guarded: Guarded): void {
    if (this.#init.claimNow) {
      this.#drop(guarded)
    }
  }

  #drop({ channel }: Guarded): void {
    this.#guarded.delete(channel)
    if (this.#guarded.size === 0) {
      this.#onFinished?.()
    }
  }
}

/** Whether `offered` takes the place of `held`: a higher amount of the same opening, or a later opening. */
function isBetter(offered: WatchVoucher, held: WatchVoucher | undefined): boolean {
  if (held === undefined || offered.openedLt !== held.openedLt) {
    return held === undefined || offered.openedLt > held.openedLt
  }
  return offered.cumulative > held.cumulative
}

function newGuarded(channel: string): Guarded {
  return {
    channel,
    best: undefined,
    offers: [],
    terms: undefined,
    settled: ZERO_NANO_TON,
    goneAsOfMs: undefined,
    claim: undefined,
    closing: '',
    paid: ZERO_NANO_TON,
    trouble: ''
  }
}
