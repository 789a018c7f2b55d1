import { type Address, type Builder, beginCell, type Cell } from '@ton/core'
import type { ChannelFixture } from './channel-fixture.ts'

/** Parts of a channel's data that {@link rawData} puts in place of what the terms give. */
export interface RawData {
  settled?: bigint
  closeAt?: number
  deposit?: bigint
  openedLt?: bigint
  payee?: (builder: Builder) => void
  payer?: (builder: Builder) => void
  challenge?: number
  /** The whole cell, instead of `payer` and `challenge`. */
  parties?: Cell
}

/** A data cell that no honest opening has: terms that do not fit, or a channel that seems open from the start. */
export function rawData(f: ChannelFixture, changes: RawData): Cell {
  const { terms } = f
  // parties#_ payer:MsgAddressInt payeeKey:bits256 challenge:uint32 salt:uint64 = Parties;
  const parties = beginCell()
    .store(changes.payer ?? addressOf(f.payer.address))
    .storeBuffer(Buffer.from(terms.payeeKey), 32)
    .storeUint(changes.challenge ?? terms.challengeSeconds, 32)
    .storeUint(terms.salt, 64)
    .endCell()
  // storage#_ settled:Coins closeAt:uint32 deposit:Coins openedLt:uint64 globalId:int32 payerKey:bits256
  //           payee:MsgAddressInt parties:^Parties = Storage;
  return beginCell()
    .storeCoins(changes.settled ?? 0n)
    .storeUint(changes.closeAt ?? 0, 32)
    .storeCoins(changes.deposit ?? 0n)
    .storeUint(changes.openedLt ?? 0n, 64)
    .storeInt(terms.globalId, 32)
    .storeBuffer(Buffer.from(terms.payerKey), 32)
    .store(changes.payee ?? addressOf(f.payee.address))
    .storeRef(changes.parties ?? parties)
    .endCell()
}

/** Writes an address. */
export function addressOf(address: Address): (builder: Builder) => void {
  return builder => builder.storeAddress(address)
}
