import {
  beginCell,
  Cell,
  loadTransaction,
  type Message,
  type ShardAccount,
  storeMessage,
  type TupleItem
} from '@ton/core'
import { UsageError } from '../../src/core/errors.ts'
import type { Json } from './forgery.ts'
import type { IndexedTransaction, SimBlock } from './sim-chain.ts'

// The JSON of toncenter's HTTP API v2, field for field as the stock TonClient parses it (@ton/ton, HttpApi).

export const MASTERCHAIN_SHARD = '-9223372036854775808'

export function blockIdJson(block: Pick<SimBlock, 'seqno' | 'rootHash'>): object {
  const hash = Buffer.from(block.rootHash).toString('base64')
  return {
    '@type': 'ton.blockIdExt',
    workchain: -1,
    shard: MASTERCHAIN_SHARD,
    seqno: block.seqno,
    root_hash: hash,
    file_hash: hash
  }
}

export function transactionIdJson(lt: bigint, hash: Uint8Array): object {
  return { '@type': 'internal.transactionId', lt: lt.toString(), hash: Buffer.from(hash).toString('base64') }
}

/** @param shard undefined for an account that does not exist */
export function accountJson(shard: ShardAccount | undefined, block: SimBlock): Json {
  const account = shard?.account ?? undefined
  const state = account?.storage.state
  const active = state?.type === 'active' ? state.state : undefined
  // A deleted account has no last transaction any more.
  const last = account === undefined ? undefined : shard
  return {
    '@type': 'raw.fullAccountState',
    balance: (account?.storage.balance.coins ?? 0n).toString(),
    extra_currencies: [],
    code: active?.code?.toBoc().toString('base64') ?? '',
    data: active?.data?.toBoc().toString('base64') ?? '',
    last_transaction_id: transactionIdJson(last?.lastTransactionLt ?? 0n, hashBytes(last?.lastTransactionHash ?? 0n)),
    block_id: blockIdJson(block),
    frozen_hash: '',
    sync_utime: block.utime,
    state: state === undefined || state.type === 'uninit' ? 'uninitialized' : state.type
  }
}

export function transactionJson(indexed: IndexedTransaction, account: string): Json {
  const tx = loadTransaction(Cell.fromBase64(indexed.data).beginParse())
  const out = [...tx.outMessages.values()]
  const forwarded = out.reduce((sum, message) => sum + forwardFee(message), 0n)
  const storage = tx.description.type === 'generic' ? (tx.description.storagePhase?.storageFeesCollected ?? 0n) : 0n
  const fee = tx.totalFees.coins + forwarded
  return {
    '@type': 'raw.transaction',
    address: { '@type': 'accountAddress', account_address: account },
    utime: indexed.utime,
    data: indexed.data,
    transaction_id: transactionIdJson(indexed.lt, indexed.hash),
    fee: fee.toString(),
    storage_fee: storage.toString(),
    other_fee: (fee - storage).toString(),
    ...(tx.inMessage ? { in_msg: messageJson(tx.inMessage) } : {}),
    out_msgs: out.map(messageJson)
  }
}

function forwardFee(message: Message): bigint {
  return message.info.type === 'internal' ? message.info.forwardFee : 0n
}

function messageJson(message: Message): object {
  const { info } = message
  const internal = info.type === 'internal' ? info : undefined
  return {
    '@type': 'raw.message',
    hash: beginCell().store(storeMessage(message)).endCell().hash().toString('base64'),
    source: info.src?.toString() ?? '',
    destination: info.dest?.toString() ?? '',
    value: (internal?.value.coins ?? 0n).toString(),
    fwd_fee: (internal?.forwardFee ?? 0n).toString(),
    ihr_fee: (internal?.ihrFee ?? 0n).toString(),
    created_lt: (info.type === 'external-in' ? 0n : info.createdLt).toString(),
    body_hash: message.body.hash().toString('base64'),
    msg_data: { '@type': 'msg.dataRaw', body: message.body.toBoc().toString('base64'), init_state: '' }
  }
}

/** @throws {UsageError} `STACK_INVALID` for an entry that is not of a kind a get-method takes */
export function parseStack(stack: unknown): TupleItem[] {
  if (!Array.isArray(stack)) {
    throw new UsageError('STACK_INVALID', 'stack: expected a list')
  }
  return stack.map(parseStackEntry)
}

function parseStackEntry(entry: unknown): TupleItem {
  const [kind, value] = Array.isArray(entry) ? (entry as unknown[]) : []
  if (typeof kind === 'string' && typeof value === 'string') {
    try {
      switch (kind) {
        case 'num':
          return { type: 'int', value: value.startsWith('-') ? -BigInt(value.slice(1)) : BigInt(value) }
        case 'tvm.Cell':
          return { type: 'cell', cell: Cell.fromBase64(value) }
        case 'tvm.Slice':
          return { type: 'slice', cell: Cell.fromBase64(value) }
        case 'tvm.Builder':
          return { type: 'builder', cell: Cell.fromBase64(value) }
      }
    } catch (err) {
      throw new UsageError('STACK_INVALID', `stack: a ${kind} entry cannot be read`, { cause: err })
    }
  }
  throw new UsageError('STACK_INVALID', 'stack: expected entries like ["num", "0x1"] or ["tvm.Cell", "<base64>"]')
}

export function stackJson(stack: readonly TupleItem[]): unknown[] {
  return stack.map(item => {
    switch (item.type) {
      case 'int':
        return ['num', hexNumber(item.value)]
      case 'nan':
        return ['num', '(null)']
      case 'null':
        return ['list', { '@type': 'tvm.list', elements: [] }]
      case 'cell':
      case 'slice':
      case 'builder':
        return [item.type, { bytes: item.cell.toBoc().toString('base64') }]
      case 'tuple':
        return ['tuple', { '@type': 'tvm.tuple', elements: item.items.map(elementJson) }]
    }
  })
}

function elementJson(item: TupleItem): object {
  switch (item.type) {
    case 'int':
      return {
        '@type': 'tvm.stackEntryNumber',
        number: { '@type': 'tvm.numberDecimal', number: item.value.toString() }
      }
    case 'cell':
      return {
        '@type': 'tvm.stackEntryCell',
        cell: { '@type': 'tvm.cell', bytes: item.cell.toBoc().toString('base64') }
      }
    case 'slice':
    case 'builder':
      return {
        '@type': 'tvm.stackEntrySlice',
        slice: { '@type': 'tvm.slice', bytes: item.cell.toBoc().toString('base64') }
      }
    case 'tuple':
      return { '@type': 'tvm.stackEntryTuple', tuple: { '@type': 'tvm.tuple', elements: item.items.map(elementJson) } }
    case 'null':
    case 'nan':
      return { '@type': 'tvm.stackEntryList', list: { '@type': 'tvm.list', elements: [] } }
  }
}

function hexNumber(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`
}

function hashBytes(hash: bigint): Buffer {
  return Buffer.from(hash.toString(16).padStart(64, '0'), 'hex')
}
