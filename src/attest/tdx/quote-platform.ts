import { type Platform, readPlatform } from './pck.ts'
import { parseQuote } from './quote.ts'
import { expectChain } from './verify-collateral.ts'
import { readPckChain } from './verify-evidence.ts'

/** The two CAs of Intel's that certify platforms, as its services name them. */
export type PckCa = 'platform' | 'processor'

/** The platform that a quote says it is from, and the CA that certified it. */
export interface QuotePlatform extends Platform {
  readonly ca: PckCa
}

/** Common names of the CAs (Intel SGX PCK Certificate and CRL Profile, §1.3). */
export const PCK_CA_NAMES: Readonly<Record<PckCa, string>> = {
  platform: 'Intel SGX PCK Platform CA',
  processor: 'Intel SGX PCK Processor CA'
}

/**
 * Says whose collateral a quote needs. Nothing of it is judged: no signature is looked at.
 *
 * @throws {AttestationError} `ATTESTATION_QUOTE_…`, `ATTESTATION_PCK_INVALID`, and the codes of certificates and PEM
 */
export function quotePlatform(quote: Uint8Array): QuotePlatform {
  const chain = readPckChain(parseQuote(quote))
  const [pck] = expectChain(chain, 3)
  const issuer = chain[1] ?? pck
  const ca = issuer.subject.commonName === PCK_CA_NAMES.processor ? 'processor' : 'platform'
  return { ...readPlatform(pck, issuer), ca }
}
