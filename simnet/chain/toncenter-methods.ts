import { Address } from '@ton/core'
import { GetMethodError } from '@ton/sandbox'
import { UsageError } from '../../src/core/errors.ts'
import type { Faults } from './faults.ts'
import type { IndexedTransaction, SimChain } from './sim-chain.ts'
import { blockIdJson, parseStack, stackJson, transactionIdJson, transactionJson } from './toncenter-shapes.ts'

type Params = Readonly<Record<string, unknown>>

/** Largest message a node takes, in bytes (config parameter 43, max_ext_msg_size). */
const MAX_MESSAGE_BYTES = 65_535

const MAX_TRANSACTIONS = 100

/** toncenter's answer to a get-method on an account without code. */
const EXIT_NO_CODE = -13

/** Answers the methods that the stock TonClient needs. */
export class ToncenterMethods {
  readonly #chain: SimChain
  readonly #faults: Faults

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
    const { block } = this.#chain
    const hash = Buffer.from(block.rootHash).toString('base64')
    const init = { seqno: 0, rootHash: new Uint8Array(32) }
    return {
      '@type': 'blocks.masterchainInfo',
      last: blockIdJson(block),
      state_root_hash: hash,
      init: blockIdJson(init)
    }
  }

  async #addressInformation(address: Address): Promise<object> {
    return this.#chain.readAccount(address, contract => {
      const { account } = contract.account
      const state = account?.storage.state
      const active = state?.type === 'active' ? state.state : undefined
      // A deleted account has no last transaction any more.
      const last = account === undefined || account === null ? undefined : contract
      return {
        '@type': 'raw.fullAccountState',
        balance: (account?.storage.balance.coins ?? 0n).toString(),
        extra_currencies: [],
        code: active?.code?.toBoc().toString('base64') ?? '',
        data: active?.data?.toBoc().toString('base64') ?? '',
        last_transaction_id: transactionIdJson(
          last?.lastTransactionLt ?? 0n,
          hashBytes(last?.lastTransactionHash ?? 0n)
        ),
        block_id: blockIdJson(this.#chain.block),
        frozen_hash: '',
        sync_utime: this.#chain.block.utime,
        state: state === undefined || state.type === 'uninit' ? 'uninitialized' : state.type
      }
    })
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
    const gone = this.#faults.pruned && (await this.#chain.readAccount(address, contract => !contract.account.account))
    const known = gone ? [] : this.#chain.transactions(address)
    if (from !== undefined && params['hash'] !== undefined) {
      requireKnown(known, from, readHash(params))
    }
    // Newest first, inclusive of lt.
    const chosen = known.filter(tx => (from === undefined || tx.lt <= from) && tx.lt > to).slice(-limit)
    return chosen.toReversed().map(tx => transactionJson(tx, address.toString()))
  }

  #configParam(params: Params): object {
    const id = params['config_id']
    const cell = Number.isInteger(id) ? this.#chain.configParam(Number(id)) : undefined
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
    if (!this.#faults.dropSends) {
      await this.#chain.sendExternal(bytes)
    }
    return { '@type': 'ok' }
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

function hashBytes(hash: bigint): Buffer {
  return Buffer.from(hash.toString(16).padStart(64, '0'), 'hex')
}
