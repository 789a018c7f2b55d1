import { beginCell, type Cell, Dictionary, type ShardAccount } from '@ton/core'
import {
  Blockchain,
  type BlockchainTransaction,
  Executor,
  LocalBlockchainStorage,
  snapshotFromSerializable,
  snapshotToSerializable
} from '@ton/sandbox'

/** Network id of every simulated chain: vouchers made on it are worth nothing elsewhere. */
export const SIMNET_GLOBAL_ID = -217

const GLOBAL_ID_PARAM = 19

/** A snapshot as JSON can carry it. */
export type SerializedBlockchain = ReturnType<typeof snapshotToSerializable>

/** The sandbox's chain (the real TVM) under our network id, which forgets a transaction once it was taken. */
export class SimBlockchain extends Blockchain {
  static async open(): Promise<SimBlockchain> {
    const chain = new SimBlockchain({
      executor: await Executor.create(),
      config: 'slim',
      storage: new LocalBlockchainStorage()
    })
    chain.setConfig(withGlobalId(chain.config, SIMNET_GLOBAL_ID))
    // Contracts' debug output and emulation logs would go to stdout, which belongs to the server's one line.
    chain.verbosity = { print: false, blockchainLogs: false, vmLogs: 'none', debugLogs: false }
    return chain
  }

  /** Every transaction since the last call, oldest first. */
  takeTransactions(): BlockchainTransaction[] {
    const taken = this.transactions
    this.transactions = []
    return taken
  }

  /** Every account, by raw address. */
  accounts(): Array<[string, ShardAccount]> {
    return this.storage.knownContracts().map(contract => [contract.address.toRawString(), contract.account])
  }

  configParam(id: number): Cell | undefined {
    return loadParams(this.config).get(id)
  }

  setConfigParam(id: number, value: Cell): void {
    const params = loadParams(this.config)
    params.set(id, value)
    this.setConfig(beginCell().storeDictDirect(params).endCell())
  }

  /** Accounts, config and logical time; no transactions. */
  toSerializable(): SerializedBlockchain {
    return snapshotToSerializable({ ...this.snapshot(), transactions: [] })
  }

  async loadSerializable(serialized: SerializedBlockchain): Promise<void> {
    await this.loadFrom(snapshotFromSerializable(serialized))
  }
}

function withGlobalId(config: Cell, globalId: number): Cell {
  const params = loadParams(config)
  params.set(GLOBAL_ID_PARAM, beginCell().storeInt(globalId, 32).endCell())
  return beginCell().storeDictDirect(params).endCell()
}

function loadParams(config: Cell): Dictionary<number, Cell> {
  return Dictionary.loadDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell(), config)
}
