import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { replaceFile } from '../config/atomic-file.ts'
import { errorCode, MoneyError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { repeat } from '../core/repeat.ts'
import { encodeWatchFile, type PayeeChannels } from '../payments/index.ts'
import type { Account } from './account.ts'

const WRITE_EVERY_MS = 5_000
const FOLDER_MODE = 0o700

type VoucherSource = { payee: Pick<PayeeChannels, 'list' | 'state'>; chain: { readonly globalId: number } }

/**
 * The latest voucher of a channel that pays us, as the text of a file for `cocoon-node watch`.
 *
 * @throws {PaymentRefusal} `CHANNEL_UNKNOWN`
 * @throws {MoneyError} `VOUCHER_MISSING` before the first one came
 */
export function voucherFile({ payee, chain }: VoucherSource, channel: string): string {
  const { highest } = payee.state(channel)
  if (highest === undefined) {
    throw new MoneyError('VOUCHER_MISSING', `No voucher of channel ${channel} is held here: nothing was promised on it`)
  }
  return encodeWatchFile({ ...highest, globalId: chain.globalId })
}

/** Keeps the latest voucher of every channel as a file, for a watcher on another machine. */
export class VoucherFolder {
  readonly #folder: string
  readonly #source: VoucherSource
  readonly #logger: Logger
  readonly #stopped = new AbortController()
  readonly #written = new Map<string, bigint>()

  constructor(folder: string, source: VoucherSource, logger: Logger) {
    this.#folder = folder
    this.#source = source
    this.#logger = logger
  }

  /** The folder that the configuration names, if it does. */
  static of(account: Pick<Account, 'home' | 'config' | 'payee' | 'chain' | 'logger'>): VoucherFolder | undefined {
    const { voucherFolder } = account.config.channels
    return voucherFolder === undefined
      ? undefined
      : new VoucherFolder(resolve(account.home.path, voucherFolder), account, account.logger.child('vouchers'))
  }

  start(): void {
    repeat(() => this.write(), {
      pauseMs: failures => WRITE_EVERY_MS * Math.min(12, failures + 1),
      signal: this.#stopped.signal,
      onError: err => this.#logger.warn('vouchers not written for watchers', { code: errorCode(err) })
    })
  }

  /** Writes what came last. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.write().catch((err: unknown) => {
      this.#logger.warn('vouchers not written for watchers', { code: errorCode(err) })
    })
  }

  /** Writes the files of channels whose latest voucher is not in theirs. Those of channels that are over stay as they are. */
  async write(): Promise<void> {
    const { payee, chain } = this.#source
    for (const { channel, state, settled } of payee.list()) {
      const amount = payee.state(channel).highest?.cumulative ?? settled
      if (state !== 'closed' && amount > settled && this.#written.get(channel) !== amount) {
        const text = voucherFile({ payee, chain }, channel)
        await mkdir(this.#folder, { recursive: true, mode: FOLDER_MODE })
        await replaceFile(join(this.#folder, `${channel.slice(2)}.voucher`), text)
        this.#written.set(channel, amount)
      }
    }
  }
}
