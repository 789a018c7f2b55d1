import { ChainServer, type ChainServerInit } from '../../simnet/chain/chain-server.ts'
import { parseRawAddress } from '../../src/core/address.ts'
import { type Ed25519KeyPair, ed25519FromSeed, ed25519Sign } from '../../src/core/ed25519.ts'
import { type NanoTon, nanoTon } from '../../src/core/nano-ton.ts'
import { closeHash, voucherHash } from '../../src/payments/voucher-hash.ts'
import {
  type ChannelTerms,
  type ClaimVoucher,
  type CoopCloseOrder,
  createTon,
  GLOBAL_IDS,
  type TonChain,
  type TonInit,
  type TonWallet
} from '../../src/ton/index.ts'

export interface Party {
  key: Ed25519KeyPair
  chain: TonChain
  wallet: TonWallet
}

/** A chain server on a real socket and parties that know only its URL. */
export class ChainFixture {
  readonly server: ChainServer

  constructor(init: ChainServerInit = {}) {
    this.server = new ChainServer({}, { blockTimeMs: 40, ...init })
  }

  async party(seed: number, init: Partial<TonInit> = {}): Promise<Party> {
    const key = ed25519FromSeed(new Uint8Array(32).fill(seed))
    return {
      key,
      ...(await createTon({}, { endpoint: this.server.endpoint, globalId: GLOBAL_IDS.simnet, key, ...init }))
    }
  }

  async post(path: string, body: unknown): Promise<Response> {
    return fetch(`${this.server.url}${path}`, { method: 'POST', body: JSON.stringify(body) })
  }

  async health(): Promise<{ seqno: number; waiting: number }> {
    return (await (await fetch(`${this.server.url}/simnet/health`)).json()) as { seqno: number; waiting: number }
  }

  /** Gives money and waits for it. */
  async fund(wallet: TonWallet, amount: bigint): Promise<void> {
    const before = await wallet.balance()
    await this.post('/simnet/faucet', { address: wallet.address, amount: String(amount) })
    await until(async () => (await wallet.balance()) > before)
  }
}

export function terms(payer: Party, payee: Party, changes: Partial<ChannelTerms> = {}): ChannelTerms {
  return {
    globalId: GLOBAL_IDS.simnet,
    payerKey: payer.key.publicKey,
    payerAddress: payer.wallet.address,
    payeeKey: payee.key.publicKey,
    payeeAddress: payee.wallet.address,
    salt: 1n,
    challengeSeconds: 600,
    ...changes
  }
}

export function signVoucher(payer: Party, channel: string, openedLt: bigint, cumulative: NanoTon): ClaimVoucher {
  const hash = voucherHash({ globalId: GLOBAL_IDS.simnet, channel: parseRawAddress(channel), openedLt, cumulative })
  return { openedLt, cumulative, signature: ed25519Sign(payer.key.privateKey, hash) }
}

export function closeOrder(payee: Party, channel: string, openedLt: bigint, cumulative: NanoTon): CoopCloseOrder {
  const validUntil = 4_000_000_000
  const total = { globalId: GLOBAL_IDS.simnet, channel: parseRawAddress(channel), openedLt, cumulative, validUntil }
  return { openedLt, cumulative, validUntil, payeeSignature: ed25519Sign(payee.key.privateKey, closeHash(total)) }
}

/** Waits until `holds`, at most ten seconds. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 10_000
  while (!(await holds())) {
    if (Date.now() > endMs) {
      throw new Error('The condition did not come true within 10 s')
    }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

export function milliTon(amount: number): NanoTon {
  return nanoTon(BigInt(amount) * 1_000_000n)
}
