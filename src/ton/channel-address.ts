import { Address, beginCell, Cell, contractAddress } from '@ton/core'
import { formatRawAddress } from '../core/address.ts'
import { UsageError } from '../core/errors.ts'
import { CHANNEL_CODE_BOC } from './channel-code.ts'

/** What fixes a channel's address. Both sides derive it with {@link channelStateInit} and nothing else. */
export interface ChannelTerms {
  /** Network: −239 mainnet, −3 testnet, −217 simnet. */
  globalId: number
  /** Ed25519 key that signs vouchers, 32 bytes. */
  payerKey: Uint8Array
  /** Raw address that funds the channel and gets the remainder. Basechain. */
  payerAddress: string
  /** Ed25519 key that signs close statements, 32 bytes. */
  payeeKey: Uint8Array
  /** Raw address that claims pay to. Basechain. */
  payeeAddress: string
  /** Tells channels of one pair apart: 64 bits. */
  salt: bigint
  /** How long the payee can still claim after the payer starts a close, in seconds: 1 to {@link MAX_CHALLENGE_SECONDS}. */
  challengeSeconds: number
}

/** Longest challenge period that the contract opens with: a year. */
export const MAX_CHALLENGE_SECONDS = 31_536_000

let code: Cell | undefined

/** The pinned contract code. */
export function channelCode(): Cell {
  code ??= Cell.fromBase64(CHANNEL_CODE_BOC)
  return code
}

/**
 * Initial code and data of the channel.
 *
 * @throws {UsageError} `CHANNEL_TERMS_INVALID` if a term does not fit its field
 */
export function channelStateInit(terms: ChannelTerms): { code: Cell; data: Cell } {
  checkTerms(terms)
  // parties#_ payer:MsgAddressInt payeeKey:bits256 challenge:uint32 salt:uint64 = Parties;
  const parties = beginCell()
    .storeAddress(Address.parseRaw(terms.payerAddress))
    .storeBuffer(Buffer.from(terms.payeeKey), 32)
    .storeUint(terms.challengeSeconds, 32)
    .storeUint(terms.salt, 64)
    .endCell()
  // storage#_ settled:Coins closeAt:uint32 deposit:Coins openedLt:uint64 globalId:int32 payerKey:bits256
  //           payee:MsgAddressInt parties:^Parties = Storage;
  // Never opened: the first four fields are 0.
  const data = beginCell()
    .storeCoins(0)
    .storeUint(0, 32)
    .storeCoins(0)
    .storeUint(0, 64)
    .storeInt(terms.globalId, 32)
    .storeBuffer(Buffer.from(terms.payerKey), 32)
    .storeAddress(Address.parseRaw(terms.payeeAddress))
    .storeRef(parties)
    .endCell()
  return { code: channelCode(), data }
}

/**
 * Raw address of the channel with these terms.
 *
 * @throws {UsageError} `CHANNEL_TERMS_INVALID` if a term does not fit its field
 */
export function channelAddress(terms: ChannelTerms): string {
  const address = contractAddress(0, channelStateInit(terms))
  return formatRawAddress({ workchain: address.workChain, hash: address.hash })
}

function checkTerms(terms: ChannelTerms): void {
  expectTerm(terms.payerKey.byteLength === 32, 'payer key', `${terms.payerKey.byteLength} bytes`, '32 bytes')
  expectTerm(terms.payeeKey.byteLength === 32, 'payee key', `${terms.payeeKey.byteLength} bytes`, '32 bytes')
  expectTerm(isBasechain(terms.payerAddress), 'payer address', terms.payerAddress, 'a raw address 0:<64 hex digits>')
  expectTerm(isBasechain(terms.payeeAddress), 'payee address', terms.payeeAddress, 'a raw address 0:<64 hex digits>')
  expectTerm(terms.salt >= 0n && terms.salt >> 64n === 0n, 'salt', String(terms.salt), 'an unsigned 64-bit number')
  expectTerm(
    Number.isInteger(terms.globalId) && (terms.globalId | 0) === terms.globalId,
    'network id',
    String(terms.globalId),
    'a signed 32-bit number'
  )
  const challenge = terms.challengeSeconds
  expectTerm(
    Number.isInteger(challenge) && challenge > 0 && challenge <= MAX_CHALLENGE_SECONDS,
    'challenge period',
    `${challenge} s`,
    `1 to ${MAX_CHALLENGE_SECONDS} seconds`
  )
}

function isBasechain(address: string): boolean {
  return /^0:[0-9a-f]{64}$/.test(address)
}

function expectTerm(holds: boolean, term: string, value: string, expected: string): void {
  if (!holds) {
    throw new UsageError('CHANNEL_TERMS_INVALID', `Channel ${term} is ${value.slice(0, 80)}: expected ${expected}`)
  }
}
