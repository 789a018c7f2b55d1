import assert from 'node:assert/strict'
import { beginCell, Cell, Dictionary, external, type Transaction, type TransactionDescriptionGeneric } from '@ton/core'
import type { SendMessageResult } from '@ton/sandbox'
import type { NanoTon } from '../../src/core/nano-ton.ts'
import { storeClaim, storeCoopClose, storeFinish, storeFund, storeStartClose } from '../../src/ton/channel-contract.ts'
import { CHALLENGE_SECONDS, ChannelFixture, exitCode, GAS, gasUsed, ton, transactionOn } from './channel-fixture.ts'

/** Every message to a channel, by who sends it. */
export type MeasuredName =
  | 'open'
  | 'top-up'
  | 'claim by the payee'
  | 'claim by another'
  | 'external claim'
  | 'start close'
  | 'finish by the payer'
  | 'finish by another'
  | 'coop close by the payer'
  | 'coop close by the payer, paying the rest'
  | 'coop close by another'

/** What one message took. Amounts are nanotons, storage of the channel left out. */
export interface MeasuredMessage {
  name: MeasuredName
  gas: bigint
  /** Gas of the channel, forwarding of the message and of all that the channel sends. */
  fee: bigint
  /** What the sender is poorer by, besides its wallet's own gas and its deposit. Of an external claim: the payee. */
  cost: bigint
}

/** Config parameters with prices of gas and of messages: masterchain and basechain. */
const GAS_PRICES = [20, 21]
const MESSAGE_PRICES = [24, 25]

/** Sends every message once on a fresh chain whose gas and message prices are the sandbox's divided by `divisor`. */
export async function measureChannel(divisor = 1n): Promise<MeasuredMessage[]> {
  const f = await ChannelFixture.create({}, config => dividePrices(config, divisor))
  const deposit = ton('1')
  const rows = [
    await measure(f, 'open', 'payer', 0n - deposit, async () =>
      f.send(f.payer, storeFund(deposit), deposit + GAS, true)
    ),
    await measure(f, 'top-up', 'payer', 0n - deposit, async () => f.send(f.payer, storeFund(deposit), deposit + GAS))
  ]
  const [first, second, third] = [await f.voucher(ton('0.1')), await f.voucher(ton('0.2')), await f.voucher(ton('0.3'))]
  rows.push(
    await measure(f, 'claim by the payee', 'payee', ton('0.1'), async () => f.send(f.payee, storeClaim(first), GAS)),
    await measure(f, 'claim by another', 'stranger', 0n, async () => f.send(f.stranger, storeClaim(second), GAS)),
    await measure(f, 'external claim', 'payee', ton('0.1'), async () =>
      f.chain.sendMessage(external({ to: f.address, body: beginCell().store(storeClaim(third)).endCell() }))
    )
  )
  const open = f.chain.snapshot()
  rows.push(await measure(f, 'start close', 'payer', 0n, async () => f.send(f.payer, storeStartClose(), GAS)))
  f.chain.now = (f.chain.now ?? 0) + CHALLENGE_SECONDS
  const late = f.chain.snapshot()
  rows.push(await measure(f, 'finish by the payer', 'payer', 'rest', async () => f.send(f.payer, storeFinish(), GAS)))
  await f.chain.loadFrom(late)
  rows.push(await measure(f, 'finish by another', 'stranger', 0n, async () => f.send(f.stranger, storeFinish(), GAS)))
  for (const [name, sender, total] of [
    ['coop close by the payer', 'payer', ton('0.3')],
    ['coop close by the payer, paying the rest', 'payer', ton('0.4')],
    ['coop close by another', 'stranger', ton('0.3')]
  ] as const) {
    await f.chain.loadFrom(open)
    const body = storeCoopClose(await f.statement(total))
    const gets = sender === 'payer' ? 'rest' : 0n
    rows.push(await measure(f, name, sender, gets, async () => f.send(f[sender], body, GAS), total - ton('0.3')))
  }
  return rows
}

/** The config with its gas and message prices divided, and the network id of the fixture. */
function dividePrices(config: Cell, divisor: bigint): Cell {
  const params = Dictionary.loadDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell(), config)
  for (const id of GAS_PRICES) {
    // gas_flat_pfx#d1 flat_gas_limit:uint64 flat_gas_price:uint64 other:GasLimitsPrices; gas_prices_ext#de gas_price:uint64 …
    const slice = (params.get(id) ?? assert.fail()).beginParse()
    const changed = beginCell()
      .storeUint(slice.loadUint(8), 8)
      .storeUint(slice.loadUintBig(64), 64)
      .storeUint(slice.loadUintBig(64) / divisor, 64)
      .storeUint(slice.loadUint(8), 8)
      .storeUint(slice.loadUintBig(64) / divisor, 64)
    params.set(id, changed.storeSlice(slice).endCell())
  }
  for (const id of MESSAGE_PRICES) {
    // msg_forward_prices#ea lump_price:uint64 bit_price:uint64 cell_price:uint64 …
    const slice = (params.get(id) ?? assert.fail()).beginParse()
    const changed = beginCell().storeUint(slice.loadUint(8), 8)
    for (let price = 0; price < 3; price++) {
      changed.storeUint(slice.loadUintBig(64) / divisor, 64)
    }
    params.set(id, changed.storeSlice(slice).endCell())
  }
  return beginCell().storeDictDirect(params).endCell()
}

/**
 * @param gets what the sender is to get by the message beyond its value; `rest`: all that the channel then holds
 * @param paid what the channel pays to somebody else before
 */
async function measure(
  f: ChannelFixture,
  name: MeasuredName,
  sender: 'payer' | 'payee' | 'stranger',
  gets: bigint | 'rest',
  act: () => Promise<SendMessageResult>,
  paid: NanoTon | bigint = 0n
): Promise<MeasuredMessage> {
  const wallet = f[sender].address
  const [before, held] = [await f.balance(wallet), await f.balance()]
  const { transactions } = await act()
  const tx = transactionOn({ transactions }, f.address)
  assert.deepEqual([exitCode(tx), generic(tx).actionPhase?.success], [0, true], name)
  const storage = generic(tx).storagePhase?.storageFeesCollected ?? 0n
  const ofWallet = transactions.filter(other => other.address === BigInt(`0x${wallet.hash.toString('hex')}`))
  const own = sum(ofWallet.map(other => other.totalFees.coins - (generic(other).actionPhase?.totalActionFees ?? 0n)))
  const forwarded = sum(
    transactions.filter(other => tx.inMessage?.info.src?.toString() === addressOf(other)).map(forwardFees)
  )
  return {
    name,
    gas: gasUsed(tx),
    fee: tx.totalFees.coins - storage - (generic(tx).actionPhase?.totalActionFees ?? 0n) + forwardFees(tx) + forwarded,
    cost: before - (await f.balance(wallet)) - own + (gets === 'rest' ? held - storage - paid : gets)
  }
}

function addressOf(tx: Transaction): string | undefined {
  return tx.inMessage?.info.dest?.toString()
}

/** What the messages that a transaction sent took to forward. */
function forwardFees(tx: Transaction): bigint {
  return generic(tx).actionPhase?.totalFwdFees ?? 0n
}

function generic(tx: Transaction): TransactionDescriptionGeneric {
  return tx.description.type === 'generic' ? tx.description : assert.fail(`a ${tx.description.type} transaction`)
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((a, b) => a + b, 0n)
}
