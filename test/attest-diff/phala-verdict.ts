import dcap, { type Collateral } from '@phala/dcap-qvl'
import type { AttestationCase } from './attestation-cases.ts'

/** The answer of `@phala/dcap-qvl`: a TCB status, or why it refused, in its own words. */
export interface PhalaVerdict {
  readonly accepted: boolean
  readonly text: string
}

/** It judges neither policy nor attributes besides debug, and takes whole seconds. */
export function phalaVerdict({ quote, collateral, nowMs, root }: AttestationCase): PhalaVerdict {
  try {
    const verifier = dcap.QuoteVerifier.newWithRootCa(Buffer.from(root))
    // It reads the fields itself, as they come out of JSON.
    const given = collateral as unknown as Collateral
    const { status } = verifier.verify(Buffer.from(quote), given, Math.floor(nowMs / 1000))
    return { accepted: true, text: status }
  } catch (err) {
    return { accepted: false, text: err instanceof Error ? err.message : String(err) }
  }
}
