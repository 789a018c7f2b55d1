import { toString } from 'uint8arrays/to-string'

/** base58btc text of a libp2p peer id's multihash, as statements and receipts name it. */
export function peerIdText(multihash: Uint8Array): string {
  return toString(multihash, 'base58btc')
}
