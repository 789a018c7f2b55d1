import { isIPv4, isIPv6 } from 'node:net'
import * as z from 'zod'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'

/**
 * The kinds of values a configuration holds. The message of each says what was expected; the reader adds the
 * path and the value.
 */

/** Amounts cross the wire in 64 bits. */
const MAX_AMOUNT = (1n << 64n) - 1n

/** A group of settings; any other key in it is an error. */
export function group<const T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape, { error: 'an object of settings' })
}

export function list<T extends z.core.SomeType>(item: T) {
  return z.array(item, { error: 'a list in square brackets' })
}

export const flag = z.boolean({ error: 'true or false' })

export function wholeNumber(min: number, max: number, error = `a whole number from ${min} to ${max}`) {
  return z.int({ error }).min(min, { error }).max(max, { error })
}

export function text(maxCharacters: number) {
  const error = `a text of 1 to ${maxCharacters} characters`
  return z.string({ error }).min(1, { error }).max(maxCharacters, { error })
}

export function oneOf<const T extends readonly string[]>(...values: T) {
  return z.enum(values, { error: `one of ${values.join(', ')}` })
}

const AMOUNT = 'nanotons as digits in quotes, like "1000000000" for 1 TON'

/** Text of nanotons in the file, {@link NanoTon} in the program. */
export const amount = z
  .string({ error: AMOUNT })
  .regex(/^\d{1,20}$/, { error: AMOUNT, abort: true })
  .refine(digits => BigInt(digits) <= MAX_AMOUNT, { error: `at most ${MAX_AMOUNT} nanotons`, abort: true })
  .transform((digits): NanoTon => nanoTon(BigInt(digits)))

const ENDPOINT = 'an http or https URL'

export const endpoint = z.string({ error: ENDPOINT }).refine(isHttpUrl, { error: ENDPOINT })

const TCP_ADDRESS = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(\/p2p\/[1-9A-HJ-NP-Za-km-z]{32,64})?$/
const LISTEN = 'a TCP multiaddr like "/ip4/0.0.0.0/tcp/4710"'
const PEER = 'a TCP multiaddr with its peer id, like "/ip4/203.0.113.5/tcp/4710/p2p/12D3Koo…"'

export const listenAddress = z.string({ error: LISTEN }).refine(value => isTcpAddress(value, false), { error: LISTEN })

export const peerAddress = z.string({ error: PEER }).refine(value => isTcpAddress(value, true), { error: PEER })

function isTcpAddress(value: string, withPeerId: boolean): boolean {
  const [, family = '', host = '', port, peerId] = TCP_ADDRESS.exec(value) ?? []
  return Number(port) <= 65_535 && isHost(family, host) && (peerId !== undefined) === withPeerId
}

function isHost(family: string, host: string): boolean {
  switch (family) {
    case 'ip4':
      return isIPv4(host)
    case 'ip6':
      return isIPv6(host)
    default:
      return /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)
  }
}

function isHttpUrl(value: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(value).protocol)
  } catch {
    return false
  }
}

const ACCOUNT = 'a raw address like "0:3fa1…" with 64 hex digits'

export const accountAddress = z.string({ error: ACCOUNT }).regex(/^0:[0-9a-f]{64}$/, { error: ACCOUNT })
