import assert from 'node:assert/strict'
import {
  type Address,
  beginCell,
  type Cell,
  type Message as ChainMessage,
  type ShardAccount,
  storeMessage,
  type Transaction,
  type TransactionActionPhase,
  type TransactionComputeVm
} from '@ton/core'
import { loadChannelState } from '../../src/ton/channel-contract.ts'
import { type ChannelFixture, GLOBAL_ID } from './channel-fixture.ts'
import { BodyWriter } from './channel-stateful-cells.ts'
import type { ChannelChain } from './channel-stateful-chain.ts'
import { type Event, Invariants } from './channel-stateful-invariants.ts'
import { type ChannelModel, MISSING, min, OUT_OF_GAS } from './channel-stateful-model.ts'
import type { ChainPrices } from './channel-stateful-prices.ts'
import { resolve, type Scene, type Step } from './channel-stateful-steps.ts'
import type { Channel, Message, NetworkFacts, Outcome, Party, Transfer } from './channel-stateful-types.ts'

/** The parts that all runs share. */
export interface Setting {
  fixture: ChannelFixture
  prices: ChainPrices
  model: ChannelModel
}

/** One schedule, played on the contract and on the model side by side. */
export class ScheduleRun {
  readonly #setting: Setting
  readonly #chain: ChannelChain
  readonly #writer: BodyWriter
  readonly #invariants: Invariants
  readonly #sent: Message[] = []
  readonly #earlier: bigint[] = []
  #channel: Channel = MISSING
  /** What the account's code and data were when it was last seen. */
  #present: { code: Cell; data: Cell } | undefined

  constructor(setting: Setting, chain: ChannelChain) {
    this.#setting = setting
    this.#chain = chain
    this.#writer = new BodyWriter(setting.fixture)
    this.#invariants = new Invariants(setting.model.reserve)
  }

  /**
   * Plays one step and compares.
   *
   * @returns what happened, or undefined if only time passed
   */
  async play(step: Step): Promise<Event | undefined> {
    const message = resolve(step, this.#scene(), this.#setting.model)
    if (typeof message === 'number') {
      this.#chain.now += message
      return undefined
    }
    this.#sent.push(message)
    const before = this.#channel
    const { expected, ...event } = await this.#send(before, message)
    try {
      assert.deepEqual(event.outcome, expected)
      this.#invariants.check(event)
      this.#checkGas(event)
    } catch (err) {
      const text = `message ${this.#sent.length}, ${show(message)} to ${show(before)} (${show(event.facts)})`
      throw new Error(`${text}: ${err instanceof Error ? err.message : String(err)}`, { cause: err })
    }
    this.#channel = event.outcome.channel
    if (before.state !== 'new' && this.#channel.account === 'missing') {
      this.#earlier.push(before.openedLt)
    }
    return event
  }

  #checkGas({ before, message, facts }: Event): void {
    const external = message.from === 'external'
    const enough = this.#setting.model.gasBound(external ? 'external' : message.body.op)
    const held = before.balance - facts.storageFee
    // Without a bounce flag a debt for storage takes from the value too, and gas is bought from what is left.
    const money = external ? held - facts.importFee : min(message.value, held + message.value)
    assert.ok(!facts.outOfGas || money < enough, 'nothing runs out of gas above its bound')
  }

  #scene(): Scene {
    return {
      channel: this.#channel,
      now: this.#chain.now,
      globalId: GLOBAL_ID,
      sent: this.#sent,
      earlier: this.#earlier
    }
  }

  async #send(before: Channel, message: Message): Promise<Event & { expected: Outcome }> {
    const { model, prices } = this.#setting
    const packed = this.#pack(message)
    const owed = storageOwed(await this.#chain.account(), this.#chain.now, prices)
    const delivered = await this.#chain.deliver(packed)
    // Without a bounce flag the value arrives before storage is paid.
    const payable = before.balance + (message.bounce ? 0n : message.value)
    const facts: NetworkFacts = {
      now: this.#chain.now,
      storageFee: owed < payable ? owed : payable,
      frozen: owed - payable > prices.freezeLimit,
      importFee: message.from === 'external' ? importFee(packed, prices) : 0n,
      ...decided(delivered)
    }
    const expected = model.predict(before, message, facts)
    const event = { before, message, facts, expected, reopened: this.#earlier.length > 0 }
    if (typeof delivered === 'number') {
      const outcome = { result: 'not accepted' as const, exitCode: delivered, channel: before, transfers: [] }
      return { ...event, outcome, tx: undefined }
    }
    const channel = await this.#observe(before)
    return {
      ...event,
      outcome: { ...resultOf(delivered), channel, transfers: this.#transfers(delivered) },
      tx: delivered
    }
  }

  #pack(message: Message): ChainMessage {
    const { fixture } = this.#setting
    const { from, value, bounce, bounced } = message
    const init = { none: undefined, first: fixture.channel.init, present: this.#present }[message.init]
    return {
      info:
        from === 'external'
          ? { type: 'external-in', dest: fixture.address, importFee: 0n }
          : {
              type: 'internal',
              ihrDisabled: true,
              bounce,
              bounced,
              src: this.#chain.addresses[from],
              dest: fixture.address,
              value: { coins: value },
              ihrFee: 0n,
              forwardFee: 0n,
              createdAt: this.#chain.now,
              createdLt: 0n
            },
      body: this.#writer.write(message.body),
      ...(init === undefined ? {} : { init })
    }
  }

  /** What the account holds now. */
  async #observe(before: Channel): Promise<Channel> {
    const { account } = await this.#chain.account()
    const balance = account?.storage.balance.coins ?? 0n
    const state = account?.storage.state
    if (state?.type === 'frozen') {
      // Only a hash of it is left. It has to be the same when it is thawed.
      return { ...before, account: 'frozen', balance }
    }
    if (state?.type !== 'active') {
      return { ...MISSING, balance }
    }
    const { code, data } = state.state
    assert.ok(code && data)
    const slice = data.beginParse()
    const stored = loadChannelState(slice)
    const first = this.#setting.fixture.channel.init?.data.beginParse() ?? assert.fail()
    loadChannelState(first)
    assert.ok(slice.asCell().equals(first.asCell()), 'the terms are as they were')
    if (stored.state !== 'new') {
      this.#present = { code, data }
    }
    return { account: 'active', ...stored, balance }
  }

  #transfers(tx: Transaction): Transfer[] {
    return tx.outMessages.values().map(({ info, body }) => {
      assert.ok(info.type === 'internal')
      assert.equal(info.bounce, false, 'nothing sent comes back')
      assert.ok(info.bounced || (body.bits.length === 0 && body.refs.length === 0), 'a plain transfer')
      return { to: this.#party(info.dest), value: info.value.coins, bounced: info.bounced }
    })
  }

  #party(address: Address): Party {
    const found = Object.entries(this.#chain.addresses).find(([, own]) => own.equals(address))
    return (found?.[0] as Party | undefined) ?? assert.fail(`money went to ${address.toRawString()}`)
  }
}

function computePhase(tx: Transaction): TransactionComputeVm | undefined {
  const { description } = tx
  assert.ok(description.type === 'generic')
  return description.computePhase.type === 'vm' ? description.computePhase : undefined
}

function actionPhase(tx: Transaction): TransactionActionPhase | undefined {
  const { description } = tx
  return (description.type === 'generic' ? description.actionPhase : undefined) ?? undefined
}

function resultOf(tx: Transaction): Pick<Outcome, 'result' | 'exitCode'> {
  const compute = computePhase(tx)
  if (compute === undefined || compute.exitCode !== 0) {
    return compute === undefined
      ? { result: 'skipped', exitCode: 0 }
      : { result: 'refused', exitCode: compute.exitCode }
  }
  return { result: actionPhase(tx)?.success === false ? 'failed' : 'done', exitCode: 0 }
}

function decided(delivered: Transaction | number): Pick<NetworkFacts, 'lt' | 'gasFee' | 'outOfGas' | 'actionFine'> {
  if (typeof delivered === 'number') {
    return { lt: 0n, gasFee: 0n, outOfGas: delivered === OUT_OF_GAS, actionFine: 0n }
  }
  const [compute, action] = [computePhase(delivered), actionPhase(delivered)]
  return {
    lt: delivered.lt,
    gasFee: compute?.gasFees ?? 0n,
    outOfGas: compute?.exitCode === OUT_OF_GAS,
    actionFine: action?.success === false ? (action.totalActionFees ?? 0n) : 0n
  }
}

/** The network's claim on an account for keeping it until now. */
function storageOwed({ account }: ShardAccount, now: number, prices: ChainPrices): bigint {
  if (!account) {
    return 0n
  }
  const { lastPaid, used, duePayment } = account.storageStats
  const seconds = lastPaid === 0 ? 0 : now - lastPaid
  return prices.storage(BigInt(seconds), used.bits, used.cells) + (duePayment ?? 0n)
}

/** For an external message's cells, each counted once, without the root. */
function importFee(message: ChainMessage, prices: ChainPrices): bigint {
  const seen = new Map<string, Cell>()
  const visit = (cell: Cell): void => {
    for (const ref of cell.refs.filter(ref => !seen.has(ref.hash().toString('hex')))) {
      seen.set(ref.hash().toString('hex'), ref)
      visit(ref)
    }
  }
  visit(beginCell().store(storeMessage(message)).endCell())
  const bits = [...seen.values()].reduce((sum, cell) => sum + cell.bits.length, 0)
  return prices.message(BigInt(bits), BigInt(seen.size))
}

function show(value: object): string {
  return JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? `${field}n` : field))
}
