import { type Config, type HomeFolder, homeFolder, loadConfig, lockHome, openHome } from '../config/index.ts'
import type { AbortOptions } from '../core/abort.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import { tokenCost } from '../core/price.ts'
import { systemRandom } from '../core/random.ts'
import { PayeeChannels, PayerChannels, type Steward } from '../payments/index.ts'
import { createTon, GLOBAL_IDS, type TonChain, type TonWallet } from '../ton/index.ts'
import { closeAlone, type LoneClose } from './close-alone.ts'
import { type NodeKeys, readKeys } from './keys.ts'
import { openLog } from './log-file.ts'
import { type ReceiptStore, receiptStore } from './receipt-store.ts'
import { type RecoveredChannels, recoverChannels } from './recover-channels.ts'
import { openSteward } from './steward.ts'
import { openStore, type Store } from './store.ts'
import { voucherFile } from './voucher-folder.ts'
import { requireOwnWallet } from './wallet-check.ts'

export interface AccountInit {
  /** Path of the home folder. */
  home: string
  passphrase?: string
  /** @default a file in the home's log folder, of the level the configuration names */
  logger?: Logger
  /** Changes the configuration for this run, e.g. by flags of the command line. */
  overrides?: (config: Config) => Config
}

/** A home folder opened by this process: keys, books, wallet and chain, without the mesh. */
export interface Account {
  readonly home: HomeFolder
  readonly config: Config
  readonly logger: Logger
  readonly clock: Clock
  readonly keys: NodeKeys
  readonly store: Store
  readonly chain: TonChain
  readonly wallet: TonWallet
  /** Channels this node pays through. */
  readonly payer: PayerChannels
  /** Channels this node is paid through. */
  readonly payee: PayeeChannels
  readonly receipts: ReceiptStore
  /** Closes a channel without its provider, one step a call: see `closeAlone`. */
  closeAlone(channel: string, options?: AbortOptions): Promise<LoneClose>
  /** Channels' next steps, as far as they need no mesh. The books have to be loaded first. */
  readonly steward: Steward
  /** The latest voucher of a channel that pays us, as a file for `cocoon-node watch`: see `voucherFile`. */
  voucherFile(channel: string): string
  /** Takes up channels that the chain knows and the ledger does not: see `recoverChannels`. */
  recoverChannels(options?: AbortOptions): Promise<RecoveredChannels>
  close(): Promise<void>
}

/** A provider must have time to notice a lone close and claim, also when it was offline for a while. */
const MINIMUM_CHALLENGE_SECONDS = 3_600

/**
 * Opens a home folder for this process alone. Nothing is asked of any network.
 *
 * @throws {EnvironmentError} `HOME_MISSING`, `HOME_LOCKED`, `STORE_UNREADABLE`, `KEY_FILE_CORRUPT`
 * @throws {UsageError} `CONFIG_…`, `KEY_NEEDS_PASSPHRASE`, `KEY_WRONG_PASSPHRASE`
 */
export async function openAccount(init: AccountInit, options: AbortOptions = {}): Promise<Account> {
  const home = homeFolder(init.home)
  await openHome(home, options)
  const loaded = await loadConfig(home, options)
  const config = init.overrides?.(loaded) ?? loaded
  const lock = await lockHome(home, options)
  const opened: Array<() => Promise<void>> = [() => lock.release()]
  const close = async (): Promise<void> => {
    for (const undo of opened.splice(0).reverse()) {
      await undo()
    }
  }
  try {
    const keys = await readKeys(home, init.passphrase)
    await requireOwnWallet(keys.wallet.publicKey, config)
    const log = openLog(home, config.logLevel, systemClock)
    opened.push(() => log.close())
    const logger = init.logger ?? log.logger
    const store = await openStore(home.dataFolder)
    opened.push(() => store.close())
    const money = await openMoney(config, keys, store, logger)
    opened.push(() => money.payer.stop())
    const base = { home, config, logger, clock: systemClock, keys, store, ...money, close }
    return {
      ...base,
      receipts: receiptStore(home.receiptsFolder),
      closeAlone: (channel, closeOptions) => closeAlone(base, channel, closeOptions),
      steward: openSteward(base),
      voucherFile: channel => voucherFile(base, channel),
      recoverChannels: recoverOptions => recoverChannels(base, recoverOptions)
    }
  } catch (err) {
    await close()
    throw err
  }
}

async function openMoney(config: Config, keys: NodeKeys, { ledger }: Store, logger: Logger) {
  const { chain, wallet } = await createTon(
    {
      logger: logger.child('ton'),
      onWalletShared: ({ code, ...notice }) => logger.warn('somebody else sends from this wallet', { code, ...notice })
    },
    { ...config.chain, globalId: GLOBAL_IDS[config.network], key: keys.wallet }
  )
  const shared = { ledger, chain, clock: systemClock, logger: logger.child('payments'), key: keys.channel }
  return {
    chain,
    wallet,
    payer: new PayerChannels(
      { ...shared, random: systemRandom, payerAddress: wallet.address },
      { limits: config.client }
    ),
    payee: new PayeeChannels(
      { ...shared, payeeAddress: wallet.address },
      {
        minimumDeposit: config.provider.minimumDeposit,
        minimumChallengeSeconds: MINIMUM_CHALLENGE_SECONDS,
        blindExposure: config.provider.blindExposure,
        resyncJump: windowsPrice(config.provider),
        arrivalMs: ARRIVAL_MS
      }
    )
  }
}

/** Servers of one chain are a few blocks apart, seconds at most. */
const ARRIVAL_MS = 5_000

/** Jobs that one client may open at once, even where fewer are served: all of them are paid a window by its first voucher. */
const JOBS_AT_ONCE = 16

/** What the first voucher of a client may add without our books being old. */
function windowsPrice({ prices, windowTokens, slots }: Config['provider']): NanoTon {
  const completionTokens = windowTokens * Math.max(JOBS_AT_ONCE, slots)
  return tokenCost(prices, { promptTokens: 0, cachedPromptTokens: 0, completionTokens })
}
