import { Address, type Message, type Transaction } from '@ton/core'
import { type NanoTon, nanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'

/** A message that left an account for another. */
export interface OutgoingMessage {
  to: string
  value: NanoTon
  /** Forwarding fee that travels with the message, beyond what `fee` of its transaction holds. */
  forwardFee: NanoTon
}

/**
 * A transaction, with all that a balance sheet needs: over every account concerned,
 * balances before − balances after = Σ `fee` + Σ `forwardFee`.
 */
export interface ChainTransaction {
  /** Hex. */
  hash: string
  lt: bigint
  timeMs: number
  /** What the network kept: storage, gas, import, and its share of forwarding. */
  fee: NanoTon
  /** Raw address of the sender; absent for a message from outside. */
  from?: string
  /** What came in with the message; 0 from outside. */
  inValue: NanoTon
  /** First 32 bits of the message's body, if it has as many. */
  op?: number
  outgoing: OutgoingMessage[]
  /** Of the compute phase; absent where none ran. */
  exitCode?: number
  /** False if the transaction was undone and the value went back. */
  succeeded: boolean
}

export function readTransaction(tx: Transaction): ChainTransaction {
  const info = tx.inMessage?.info
  const op = readOp(tx.inMessage)
  const exitCode = computeExitCode(tx)
  return {
    hash: tx.hash().toString('hex'),
    lt: tx.lt,
    timeMs: tx.now * 1000,
    fee: nanoTon(tx.totalFees.coins),
    ...(info?.type === 'internal' ? { from: info.src.toRawString() } : {}),
    inValue: info?.type === 'internal' ? nanoTon(info.value.coins) : ZERO_NANO_TON,
    ...(op === undefined ? {} : { op }),
    outgoing: tx.outMessages.values().flatMap(readOutgoing),
    ...(exitCode === undefined ? {} : { exitCode }),
    succeeded: tx.description.type === 'generic' && !tx.description.aborted
  }
}

/** What the network kept of all these transactions. */
export function networkFees(transactions: readonly ChainTransaction[]): NanoTon {
  let sum = 0n
  for (const tx of transactions) {
    sum += tx.fee
    for (const message of tx.outgoing) {
      sum += message.forwardFee
    }
  }
  return nanoTon(sum)
}

export function computeExitCode({ description }: Transaction): number | undefined {
  return description.type === 'generic' && description.computePhase.type === 'vm'
    ? description.computePhase.exitCode
    : undefined
}

/** Sender and creation time of an internal message: together they name it. */
export function messageId(
  message: Message | null | undefined
): { from: string; createdLt: bigint; bounced: boolean } | undefined {
  const info = message?.info
  return info?.type === 'internal'
    ? { from: info.src.toRawString(), createdLt: info.createdLt, bounced: info.bounced }
    : undefined
}

function readOutgoing({ info }: Message): OutgoingMessage[] {
  return info.type === 'internal' && Address.isAddress(info.dest)
    ? [{ to: info.dest.toRawString(), value: nanoTon(info.value.coins), forwardFee: nanoTon(info.forwardFee) }]
    : []
}

function readOp(message: Message | null | undefined): number | undefined {
  const slice = message?.body.beginParse()
  return slice !== undefined && slice.remainingBits >= 32 ? slice.loadUint(32) : undefined
}
