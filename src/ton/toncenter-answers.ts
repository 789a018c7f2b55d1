import { Cell, loadTransaction, type Transaction } from '@ton/core'
import * as z from 'zod'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { AbsurdAnswer, ToncenterFailure } from './toncenter-failure.ts'

/** A masterchain block as an answer names it. */
export interface BlockId {
  seqno: number
  /** Hex. */
  rootHash: string
}

/** Shard of every masterchain block: as text, for it is larger than a number holds. */
export const MASTERCHAIN = { workchain: -1, shard: '-9223372036854775808' } as const

/** An account as one server showed it. */
export interface ShownAccount {
  balance: NanoTon
  state: 'active' | 'uninitialized' | 'frozen'
  code?: Cell
  data?: Cell
  /** Logical time of the last transaction; 0 if there is none. */
  lastLt: bigint
  /** Hash of the last transaction, hex. */
  lastHash: string
  block: BlockId
  /** Unix seconds. */
  utime: number
}

/** `coins$_ grams:VarUInteger 16`: 15 bytes. */
const MAX_COINS = (1n << 120n) - 1n
const MAX_LT = (1n << 64n) - 1n
const MAX_UINT32 = 2 ** 32 - 1

const amount = z.union([z.string().regex(/^-?\d{1,37}$/), z.int()]).transform(value => BigInt(value))
const logicalTime = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(value => BigInt(value))
  .refine(lt => lt <= MAX_LT)
const base64 = z.string().regex(/^[A-Za-z0-9+/_-]*={0,2}$/)
const hash = base64
  .transform(text => Buffer.from(text, 'base64'))
  .refine(bytes => bytes.byteLength === 32)
  .transform(bytes => bytes.toString('hex'))
const boc = base64.transform((text, context) => {
  try {
    const [cell, ...more] = Cell.fromBoc(Buffer.from(text, 'base64'))
    if (cell !== undefined && more.length === 0) {
      return cell
    }
  } catch {
    // Whatever is wrong with it.
  }
  context.issues.push({ code: 'custom', message: 'not a bag of one cell', input: text })
  return z.NEVER
})
const maybeBoc = z.union([z.literal('').transform(() => undefined), boc])
const transactionId = z.object({ lt: logicalTime, hash })
// Accounts of every workchain are shown as of a block of the masterchain.
const blockId = z.object({ workchain: z.literal(-1), seqno: z.int().min(0).max(MAX_UINT32), root_hash: hash })
const block = blockId.transform(asBlock)
const masterchainBlock = blockId.extend({ shard: z.literal(MASTERCHAIN.shard) }).transform(asBlock)

const masterchainInfo = z.object({ last: block }).transform(({ last }) => last)

const account = z
  .object({
    balance: amount,
    state: z.enum(['active', 'uninitialized', 'frozen']),
    code: maybeBoc,
    data: maybeBoc,
    last_transaction_id: transactionId,
    block_id: block,
    sync_utime: z.int().min(1).max(MAX_UINT32)
  })
  .transform((shown, context): ShownAccount => {
    const { state, code, data, last_transaction_id: last } = shown
    // Servers write −1 for the balance of an account that nobody ever wrote to.
    const none = state === 'uninitialized' && last.lt === 0n && shown.balance === -1n
    const balance = none ? 0n : shown.balance
    if (balance < 0n || balance > MAX_COINS) {
      context.issues.push({ code: 'custom', message: 'no amount of coins', path: ['balance'], input: shown.balance })
      return z.NEVER
    }
    return {
      balance: nanoTon(balance),
      state,
      ...(code === undefined ? {} : { code }),
      ...(data === undefined ? {} : { data }),
      lastLt: last.lt,
      lastHash: last.hash,
      block: shown.block_id,
      utime: shown.sync_utime
    }
  })

const configInfo = z.object({ config: z.object({ bytes: boc }) }).transform(({ config }) => config.bytes)

const transactions = z.array(z.object({ data: boc, transaction_id: transactionId }))

/** @throws {AbsurdAnswer} */
export function readTip(result: unknown): BlockId {
  return read('getMasterchainInfo', masterchainInfo, result)
}

/**
 * The masterchain block of a number. An answer that names another block is none.
 *
 * @throws {AbsurdAnswer}
 */
export function readBlock(result: unknown, height: number): BlockId {
  const found = read('lookupBlock', masterchainBlock, result)
  if (found.seqno !== height) {
    throw new AbsurdAnswer(`block ${found.seqno} when asked for block ${height}`)
  }
  return found
}

/** @throws {AbsurdAnswer} */
export function readAccount(result: unknown): ShownAccount {
  return read('getAddressInformation', account, result)
}

/** @throws {AbsurdAnswer} */
export function readConfigParam(result: unknown): Cell {
  return read('getConfigParam', configInfo, result)
}

/**
 * Network id (parameter 19).
 *
 * @throws {AbsurdAnswer}
 */
export function readNetworkId(result: unknown): number {
  const slice = readConfigParam(result).beginParse()
  if (slice.remainingBits !== 32) {
    throw new AbsurdAnswer('a network id that is none')
  }
  return slice.loadInt(32)
}

/**
 * Newest first, each the predecessor of the one before it: a list in which none is missing, made up or of another
 * account.
 *
 * @param accountHash hash part of the account's address
 * @throws {AbsurdAnswer}
 * @throws {ToncenterFailure} one cannot be read
 */
export function readTransactions(result: unknown, accountHash: bigint, limit: number): Transaction[] {
  const list = read('getTransactions', transactions, result).slice(0, limit)
  const found = list.map(({ data, transaction_id: id }) => {
    if (data.hash().toString('hex') !== id.hash) {
      throw new AbsurdAnswer(`a transaction ${id.lt} of another hash`)
    }
    const tx = parseTransaction(data)
    if (tx.lt !== id.lt || tx.address !== accountHash) {
      throw new AbsurdAnswer(`a transaction ${id.lt} that is another one`)
    }
    return tx
  })
  found.forEach((tx, index) => {
    const newer = found[index - 1]
    // An account that was deleted and came back starts a new chain.
    const follows = newer?.prevTransactionLt === tx.lt && newer.prevTransactionHash === BigInt(`0x${hashOf(tx)}`)
    const startsAnew = newer?.prevTransactionLt === 0n && newer.lt > tx.lt
    if (newer !== undefined && !follows && !startsAnew) {
      throw new AbsurdAnswer(`transactions ${newer.lt} and ${tx.lt} that do not follow each other`)
    }
  })
  return found
}

/** Hex. */
export function hashOf(tx: Transaction): string {
  return tx.hash().toString('hex')
}

function asBlock({ seqno, root_hash: rootHash }: z.infer<typeof blockId>): BlockId {
  return { seqno, rootHash }
}

/** A stranger may have sent something this parser does not know: not the server's fault. */
function parseTransaction(cell: Cell): Transaction {
  try {
    return loadTransaction(cell.beginParse())
  } catch {
    throw new ToncenterFailure('a transaction that this version cannot read')
  }
}

/** Names where it is wrong, never what stands there. */
function read<T>(method: string, schema: z.ZodType<T>, result: unknown): T {
  const parsed = schema.safeParse(result)
  if (parsed.success) {
    return parsed.data
  }
  const path = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new AbsurdAnswer(`an answer to ${method} with a bad ${path === '' ? 'form' : path}`)
}
