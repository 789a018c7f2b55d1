import assert from 'node:assert/strict'
import { type Builder, beginCell, type Cell, external, type StateInit, type Transaction } from '@ton/core'
import type { SendMessageResult } from '@ton/sandbox'
import { type ChannelFixture, exitCode, GAS, networkFees, transactionOn, type Wallet } from './channel-fixture.ts'

export type Sender = 'payer' | 'payee' | 'stranger'

/** One internal message. */
export interface Attempt {
  from: Sender | Wallet
  body: (builder: Builder) => void
  /**
   * Nanotons attached.
   * @default 0.05 TON
   */
  value?: bigint
  /** Whether it brings the channel's StateInit. */
  deploy?: boolean
}

/**
 * The message is refused with exactly this exit code. It changes nothing: neither what is stored, nor what the channel
 * and everybody but the sender hold. Its value goes back, less the fees of the network.
 */
export async function assertRefused(f: ChannelFixture, attempt: Attempt, code: number): Promise<void> {
  const { tx, fees } = await assertNothingGained(f, attempt)
  assert.equal(exitCode(tx), code)
  assert.ok(generic(tx).actionPhase === undefined || generic(tx).actionPhase === null)
  assert.ok(fees > 0n)
}

/** As {@link assertRefused}, but the contract agreed and the network could not do what it asked for. */
export async function assertActionFails(f: ChannelFixture, attempt: Attempt, result: number): Promise<void> {
  const { tx } = await assertNothingGained(f, attempt)
  assert.equal(exitCode(tx), 0)
  assert.deepEqual([generic(tx).actionPhase?.success, generic(tx).actionPhase?.resultCode], [false, result])
}

/** As {@link assertRefused}, where no code runs: there is none, or too little value for any gas. */
export async function assertNotRun(f: ChannelFixture, attempt: Attempt, reason: string): Promise<void> {
  const { tx } = await assertNothingGained(f, attempt)
  const { computePhase } = generic(tx)
  assert.equal(computePhase.type === 'skipped' ? computePhase.reason : 'ran', reason)
}

/** The network does not take the external message, so it costs nobody anything. `undefined`: no code runs. */
export async function assertNotAccepted(
  f: ChannelFixture,
  body: Cell,
  code: number | undefined,
  init?: StateInit
): Promise<void> {
  const before = await everything(f)
  await assert.rejects(
    sendExternal(f, body, init),
    (err: Error & { exitCode?: number }) => err.exitCode !== undefined && (code === undefined || err.exitCode === code),
    `expected ${code}`
  )
  assert.deepEqual(await everything(f), before)
}

/** Sends an external message to the channel. */
export async function sendExternal(f: ChannelFixture, body: Cell, init?: StateInit): Promise<SendMessageResult> {
  return f.chain.sendMessage(external({ to: f.address, body, ...(init === undefined ? {} : { init }) }))
}

/** A body from its writer. */
export function cell(...writers: Array<(builder: Builder) => void>): Cell {
  return writers.reduce((builder, writer) => builder.store(writer), beginCell()).endCell()
}

/** Writes the first bits of a body only, without its references. */
export function cut(body: (builder: Builder) => void, bits: number): (builder: Builder) => void {
  return builder => builder.storeBits(cell(body).bits.substring(0, bits))
}

async function assertNothingGained(f: ChannelFixture, attempt: Attempt): Promise<{ tx: Transaction; fees: bigint }> {
  const sender = typeof attempt.from === 'string' ? f[attempt.from] : attempt.from
  const value = attempt.value ?? GAS
  const before = await everything(f)
  const poor = await f.balance(sender.address)
  const result = await f.send(sender, attempt.body, value, attempt.deploy)
  const tx = transactionOn(result, f.address)
  const { aborted, storagePhase } = generic(tx)
  assert.ok(aborted)

  const storage = storagePhase?.storageFeesCollected ?? 0n
  const after = await everything(f)
  assert.equal(after.stored, before.stored)
  assert.equal(after.channel, before.channel - storage, 'the channel holds what it held')
  for (const [index, wallet] of wallets(f).entries()) {
    if (!wallet.address.equals(sender.address)) {
      assert.equal(after.wallets[index], before.wallets[index], 'the others hold what they held')
    }
  }
  const out = [...tx.outMessages.values()].map(message => message.info)
  const [back] = out
  assert.equal(out.length, 1, 'one message goes out')
  assert.ok(back?.type === 'internal' && back.bounced && back.dest.equals(sender.address), 'to the sender')
  const fees = networkFees(result.transactions) - storage
  assert.equal(poor - (await f.balance(sender.address)), fees, 'the sender lost the fees of the network only')
  return { tx, fees }
}

function wallets(f: ChannelFixture): Wallet[] {
  return [f.payer, f.payee, f.stranger]
}

async function everything(f: ChannelFixture): Promise<{ stored: string; channel: bigint; wallets: bigint[] }> {
  return {
    stored: await stored(f),
    channel: await f.balance(),
    wallets: await Promise.all(wallets(f).map(async wallet => f.balance(wallet.address)))
  }
}

/** Hash of the data cell; of the initial one where nothing is stored. */
async function stored(f: ChannelFixture): Promise<string> {
  const state = (await f.chain.getContract(f.address)).accountState
  const data = state?.type === 'active' ? state.state.data : f.channel.init?.data
  return (data ?? assert.fail('no data')).hash().toString('hex')
}

function generic(tx: Transaction): Extract<Transaction['description'], { type: 'generic' }> {
  return tx.description.type === 'generic' ? tx.description : assert.fail(`a ${tx.description.type} transaction`)
}
