import { ByteReader } from './byte-reader.ts'
import type { Quote } from './quote.ts'

/** What the TDX module says about a TD (Intel TDX DCAP quoting library API, appendix 3.1), fields as raw bytes. */
export interface TdReport {
  /** Security versions of the TDX module and what loads it, 16 bytes; as the TD was started. */
  readonly teeTcbSvn: Uint8Array
  readonly mrSeam: Uint8Array
  readonly mrSignerSeam: Uint8Array
  readonly seamAttributes: Uint8Array
  readonly tdAttributes: Uint8Array
  readonly xfam: Uint8Array
  /** 48 bytes each, SHA-384. */
  readonly mrTd: Uint8Array
  readonly mrConfigId: Uint8Array
  readonly mrOwner: Uint8Array
  readonly mrOwnerConfig: Uint8Array
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  /** 64 bytes. */
  readonly reportData: Uint8Array
  /** TDX 1.5 only: the security versions now, after an update of the module under the running TD. */
  readonly teeTcbSvn2: Uint8Array | undefined
  /** TDX 1.5 only: the service TDs that may act on this one (migration); zero if there are none. */
  readonly mrServiceTd: Uint8Array | undefined
}

/** Reads the body of a quote about a TD; `bytes` has the size of its kind. */
export function readTdReport(kind: 'td10' | 'td15', bytes: Uint8Array): TdReport {
  const reader = new ByteReader(bytes)
  const take = (length: number): Uint8Array => reader.bytes(length, 'The TD report')
  const report = {
    teeTcbSvn: take(16),
    mrSeam: take(48),
    mrSignerSeam: take(48),
    seamAttributes: take(8),
    tdAttributes: take(8),
    xfam: take(8),
    mrTd: take(48),
    mrConfigId: take(48),
    mrOwner: take(48),
    mrOwnerConfig: take(48),
    rtmrs: [take(48), take(48), take(48), take(48)] as const,
    reportData: take(64)
  }
  return {
    ...report,
    teeTcbSvn2: kind === 'td15' ? take(16) : undefined,
    mrServiceTd: kind === 'td15' ? take(48) : undefined
  }
}

/** @throws never for a quote whose body is of a TD; undefined for an enclave's */
export function tdReportOf({ body }: Quote): TdReport | undefined {
  return body.kind === 'sgx' ? undefined : readTdReport(body.kind, body.bytes)
}
