import type { Cell } from '@ton/core'
import type { ChannelTerms } from './channel-address.ts'

/** Terms in the data of a channel, of any state; undefined for anything else. They prove nothing before the address does. */
export function loadTerms(data: Cell): ChannelTerms | undefined {
  try {
    // storage#_ settled:Coins closeAt:uint32 deposit:Coins openedLt:uint64 globalId:int32 payerKey:bits256
    //           payee:MsgAddressInt parties:^Parties = Storage;
    const slice = data.beginParse()
    slice.loadCoins()
    slice.skip(32)
    slice.loadCoins()
    slice.skip(64)
    const globalId = slice.loadInt(32)
    const payerKey = new Uint8Array(slice.loadBuffer(32))
    const payeeAddress = slice.loadAddress().toRawString()
    // parties#_ payer:MsgAddressInt payeeKey:bits256 challenge:uint32 salt:uint64 = Parties;
    const parties = slice.loadRef().beginParse()
    const payerAddress = parties.loadAddress().toRawString()
    const payeeKey = new Uint8Array(parties.loadBuffer(32))
    const challengeSeconds = parties.loadUint(32)
    const salt = parties.loadUintBig(64)
    return { globalId, payerKey, payerAddress, payeeKey, payeeAddress, salt, challengeSeconds }
  } catch {
    return undefined
  }
}
