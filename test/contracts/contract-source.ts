import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { findUp } from './find-up.ts'

/** Gas price of the sandbox's config, nanotons. */
const GAS_PRICE = 400n
/** What the sandbox's config takes for a message of one cell, nanotons. */
const MESSAGE_FEE = 400_000n

/** A whole number of `contracts/channel.tolk`. */
export function contractConstant(name: string): bigint {
  source ??= readFileSync(findUp('contracts/channel.tolk'), 'utf8')
  const match = new RegExp(`^const ${name} = (\\d+(?: \\* \\d+)*)$`, 'm').exec(source)
  const factors = (match?.[1] ?? assert.fail(`no constant ${name}`)).split(' * ')
  return factors.map(BigInt).reduce((a, b) => a * b)
}

let source: string | undefined

/** Least value, in nanotons, of a message that has to bring this much gas and the fees of so many messages. */
export function leastValue(gasConstant: string, messages: bigint): bigint {
  return contractConstant(gasConstant) * GAS_PRICE + messages * MESSAGE_FEE
}

/** Storage of the channel that an opening leaves behind, in nanotons: a year and the challenge period. */
export function storageReserve(challengeSeconds: number): bigint {
  const perSecond = contractConstant('ACCOUNT_BITS') + contractConstant('ACCOUNT_CELLS') * 500n
  const product = perSecond * (contractConstant('RESERVE_SECONDS') + BigInt(challengeSeconds))
  return (product + 0xffffn) >> 16n
}
