import { Address, beginCell } from '@ton/core'
import { GetMethodError } from '@ton/sandbox'
import { sha256, toHex } from '../../src/core/bytes.ts'
import { UsageError } from '../../src/core/errors.ts'
import type { Faults } from './faults.ts'
import { forgeAccount, forgeRootHash, forgeTransaction } from './forgery.ts'
import type { IndexedTransaction, SimBlock, SimChain } from './sim-chain.ts'
import {
  accountJson,
  blockIdJson,
  MASTERCHAIN_SHARD,
  parseStack,
  stackJson,
  transactionJson
} from './toncenter-shapes.ts'

type Params = Readonly<Record<string, unknown>>

/** Largest message a node takes, in bytes (config parameter 43, max_ext_msg_size). */
const MAX_MESSAGE_BYTES = 65_535

const MAX_TRANSACTIONS = 100

/** toncenter's answer to a get-method on an account without code. */
const EXIT_NO_CODE = -13

const NETWORK_ID_PARAM = 19
const TESTNET_GLOBAL_ID = -3

const MAX_REMEMBERED = 1_000

/** What toncenter says of a message whose seqno was used. */
const DUPLICATE = 'LITE_SERVER_UNKNOWN: cannot apply external message to current state : Duplicate msg_seqno'

/** Answers the methods that the stock TonClient needs, and those for configuration parameters and blocks. */
export class ToncenterMethods {
  readonly #chain: SimChain
  readonly #faults: Faults
  /** Hashes of messages, the oldest first. */
  readonly #handedIn = new Set<string>()

  constructor(chain: SimChain, faults: Faults) {
    this.#chain = chain
    this.#faults = faults
  }

  /**
   * @throws {UsageError} `METHOD_UNKNOWN`, `PARAMS_INVALID`, `STACK_INVALID`, and those of `SimChain.sendExternal`
   */
  async call(method: string, params: Params): Promise<unknown> {
    switch (method) {
      case 'getMasterchainInfo':
        return this.#masterchainInfo()
      case 'lookupBlock':
        return this.#lookupBlock(params)
      case 'getAddressInformation':
        return this.#addressInformation(readAddress(params))
      case 'runGetMethod':
        return this.#runGetMethod(readAddress(params), params)
      case 'getTransactions':
        return this.#transactions(readAddress(params), params)
      case 'getConfigParam':
        return this.#configParam(params)
      case 'sendBoc':
        return this.#sendBoc(params)
      default:
        throw new UsageError('METHOD_UNKNOWN', `The simulated chain does not answer "${method.slice(0, 40)}"`)
    }
  }

  #masterchainInfo(): object {
    const block = this.#shownBlock(this.#chain.blockBefore(this.#faults.lagBlocks))
    const hash = Buffer.from(block.rootHash).toString('base64')
    const init = { seqno: 0, rootHash: new Uint8Array(32) }
    return {
      '@type': 'blocks.masterchainInfo',
      last: blockIdJson(block),
      state_root_hash: hash,
      init: blockIdJson(init)
    }
  }

  /** By number, in the masterchain: there are no other blocks. */
  #lookupBlock(params: Params): object {
    const { workchain, shard } = params
    const seqno = readInteger(params, 'seqno')
    if (workchain !== -1 || shard !== MASTERCHAIN_SHARD || seqno === undefined) {
      throw new UsageError('PARAMS_INVALID', `lookupBlock: expected workchain -1, shard "${MASTERCHAIN_SHARD}", seqno`)
    }
    const { lagBlocks, forge } = this.#faults
    const rootHash = this.#chain.blockHash(seqno, lagBlocks)
    if (rootHash === undefined) {
      const last = this.#chain.blockBefore(lagBlocks).seqno
      throw new UsageError(
        'BLOCK_NOT_FOUND',
        `LITE_SERVER_NOTREADY: cannot find block (-1,8000000000000000) seqno=${seqno}: ltdb: block not found (last known masterchain block: ${last})`
      )
    }
    return blockIdJson({ seqno, rootHash: forgeRootHash(rootHash, forge) })
  }

  async #addressInformation(address: Address): Promise<object> {
    const { account, block } = await this.#chain.accountBefore(address, this.#faults.lagBlocks)
    return forgeAccount(accountJson(account, this.#shownBlock(block)), this.#faults.forge)
  }

  #shownBlock(block: SimBlock): SimBlock {
    return { ...block, rootHash: forgeRootHash(block.rootHash, this.#faults.forge) }
  }

  async #runGetMethod(address: Address, params: Params): Promise<object> {
    const { method } = params
    if (typeof method !== 'string' && typeof method !== 'number') {
      throw new UsageError('PARAMS_INVALID', 'method: expected a name or a number')
    }
    const stack = parseStack(params['stack'] ?? [])
    const active = await this.#chain.readAccount(address, contract => contract.accountState?.type === 'active')
    if (!active) {
      return this.#runResult(EXIT_NO_CODE, 0n, [])
    }
    try {
      const result = await this.#chain.runGetMethod(address, method, stack)
      // TVM's alternative success, 1, is success to callers of the API too.
      return this.#runResult(0, result.gasUsed, stackJson(result.stack))
    } catch (err) {
      if (err instanceof GetMethodError) {
        return this.#runResult(err.exitCode, err.gasUsed, [])
      }
      throw err
    }
  }

  #runResult(exitCode: number, gasUsed: bigint, stack: unknown[]): object {
    const block = blockIdJson(this.#chain.block)
    return { '@type': 'smc.runResult', gas_used: Number(gasUsed), stack, exit_code: exitCode, block_id: block }
  }

  async #transactions(address: Address, params: Params): Promise<object[]> {
    const limit = Math.min(readInteger(params, 'limit') ?? 10, MAX_TRANSACTIONS)
    const from = params['lt'] === undefined ? undefined : BigInt(readDigits(params, 'lt'))
    const to = params['to_lt'] === undefined ? 0n : BigInt(readDigits(params, 'to_lt'))
    const { lagBlocks, pruned, forge } = this.#faults
    const gone = pruned && !(await this.#chain.accountBefore(address, lagBlocks)).account?.account
    const known = gone ? [] : this.#chain.transactions(address, lagBlocks)
    if (from !== undefined && params['hash'] !== undefined) {
      requireKnown(known, from, readHash(params))
    }
    // Newest first, inclusive of lt.
    const chosen = known.filter(tx => (from === undefined || tx.lt <= from) && tx.lt > to).slice(-limit)
    return chosen.toReversed().map(tx => forgeTransaction(transactionJson(tx, address.toString()), forge))
  }

  #configParam(params: Params): object {
    const id = params['config_id']
    const isOther = this.#faults.wrongNetwork && id === NETWORK_ID_PARAM
    const real = Number.isInteger(id) ? this.#chain.configParam(Number(id)) : undefined
    const cell = isOther ? beginCell().storeInt(TESTNET_GLOBAL_ID, 32).endCell() : real
    if (cell === undefined) {
      throw new UsageError('PARAMS_INVALID', 'config_id: expected the number of a parameter that is set')
    }
    return { '@type': 'configInfo', config: { '@type': 'tvm.cell', bytes: cell.toBoc().toString('base64') } }
  }

  async #sendBoc(params: Params): Promise<object> {
    const { boc } = params
    if (typeof boc !== 'string') {
      throw new UsageError('PARAMS_INVALID', 'boc: expected a bag of cells in base64')
    }
    const bytes = Buffer.from(boc, 'base64')
    if (bytes.byteLength > MAX_MESSAGE_BYTES) {
      throw new UsageError(
        'BOC_INVALID',
        `The message has ${bytes.byteLength} bytes: at most ${MAX_MESSAGE_BYTES} are allowed`
      )
    }
    if (this.#isRepeated(bytes) && this.#faults.duplicateSeqno) {
      throw new UsageError('EXTERNAL_REFUSED', DUPLICATE)
    }
    if (!this.#faults.dropSends) {
      await this.#chain.sendExternal(bytes)
    }
    return { '@type': 'ok' }
  }

  #isRepeated(message: Buffer): boolean {
    const hash = toHex(sha256(message))
    if (this.#handedIn.has(hash)) {
      return true
    }
    this.#handedIn.add(hash)
    const [oldest] = this.#handedIn
    if (this.#handedIn.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#handedIn.delete(oldest)
    }
    return false
  }
}

function readAddress(params: Params): Address {
  const { address } = params
  try {
    if (typeof address === 'string') {
      return Address.parse(address)
    }
  } catch (err) {
    throw new UsageError('PARAMS_INVALID', 'address: Incorrect address', { cause: err })
  }
  throw new UsageError('PARAMS_INVALID', 'address: expected an address')
}

function readInteger(params: Params, name: string): number | undefined {
  const value = params[name]
  if (value === undefined || value === null) {
    return undefined
  }
  if (!Number.isSafeInteger(value) || Number(value) < 1) {
    throw new UsageError('PARAMS_INVALID', `${name}: expected a whole number above 0`)
  }
  return Number(value)
}

function readDigits(params: Params, name: string): string {
  const text = String(params[name])
  if (!/^\d{1,20}$/.test(text)) {
    throw new UsageError('PARAMS_INVALID', `${name}: expected an unsigned number`)
  }
  return text
}

/** TonClient sends the hash in hex, other callers in base64. */
function readHash(params: Params): Buffer {
  const text = String(params['hash'])
  const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
  if (bytes.byteLength !== 32) {
    throw new UsageError('PARAMS_INVALID', 'hash: expected 32 bytes in hex or base64')
  }
  return bytes
}

function requireKnown(known: readonly IndexedTransaction[], lt: bigint, hash: Buffer): void {
  if (!known.some(tx => tx.lt === lt && tx.hash.equals(hash))) {
    throw new UsageError('PARAMS_INVALID', 'lt, hash: no such transaction')
  }
}
