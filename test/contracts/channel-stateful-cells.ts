import { beginCell, type Cell } from '@ton/core'
import { type Ed25519KeyPair, ed25519FromSeed, ed25519Sign } from '../../src/core/ed25519.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import {
  ChannelContract,
  CHANNEL_OPS as OPS,
  storeClaim,
  storeCoopClose,
  storeFund
} from '../../src/ton/channel-contract.ts'
import { closeCell, voucherCell } from '../../src/ton/voucher-cell.ts'
import type { ChannelFixture } from './channel-fixture.ts'
import type { Body, SignedTotal } from './channel-stateful-types.ts'

/** Not a message that a channel knows. */
const UNKNOWN_OP = 0xc0c000ff

const OP_CODES = {
  start: OPS.startClose,
  finish: OPS.finish,
  unknown: UNKNOWN_OP
} as const

/** Writes message bodies for one channel, with the keys of its parties and of somebody else. */
export class BodyWriter {
  readonly #channels: Readonly<Record<SignedTotal['channel'], string>>
  readonly #keys: Readonly<Record<SignedTotal['signer'], Ed25519KeyPair>>

  constructor(fixture: ChannelFixture) {
    const other = ChannelContract.fromTerms({ ...fixture.terms, salt: fixture.terms.salt + 1n })
    this.#channels = { this: fixture.address.toRawString(), another: other.address.toRawString() }
    this.#keys = {
      payer: fixture.payerKey,
      payee: fixture.payeeKey,
      nobody: ed25519FromSeed(new Uint8Array(32).fill(9))
    }
  }

  write(body: Body): Cell {
    switch (body.op) {
      case 'plain':
        return beginCell().endCell()
      case 'fund':
        return beginCell()
          .store(storeFund(nanoTon(body.amount)))
          .endCell()
      case 'claim':
      case 'coop':
        return this.#signed(body.op, body.total)
      default:
        return beginCell().storeUint(OP_CODES[body.op], 32).endCell()
    }
  }

  #signed(op: 'claim' | 'coop', total: SignedTotal): Cell {
    const { purpose, globalId, openedLt, cumulative, validUntil } = total
    const agreed = nanoTon(total.altered ? cumulative + 1n : cumulative)
    const fields = { globalId, channel: this.#channels[total.channel], openedLt, cumulative: agreed }
    const cell = purpose === 'voucher' ? voucherCell(fields) : closeCell({ ...fields, validUntil })
    const signature = ed25519Sign(this.#keys[total.signer].privateKey, cell.hash())
    const shown = { ...fields, cumulative: nanoTon(cumulative), validUntil, signature }
    return beginCell()
      .store(op === 'claim' ? storeClaim(shown) : storeCoopClose(shown))
      .endCell()
  }
}
