import { ByteReader } from './byte-reader.ts'

/** What an SGX processor says about an enclave (Intel SGX ECDSA quoting library API, appendix A.4). */
export interface EnclaveReport {
  readonly cpuSvn: Uint8Array
  readonly miscSelect: Uint8Array
  readonly attributes: Uint8Array
  readonly mrEnclave: Uint8Array
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  readonly isvSvn: number
  /** 64 bytes. */
  readonly reportData: Uint8Array
}

/** Reads the 384 bytes of a report; its reserved fields are signed and say nothing. */
export function readEnclaveReport(bytes: Uint8Array): EnclaveReport {
  const reader = new ByteReader(bytes)
  const take = (length: number): Uint8Array => reader.bytes(length, 'The enclave report')
  const skip = (length: number): void => void take(length)
  const cpuSvn = take(16)
  const miscSelect = take(4)
  skip(28)
  const attributes = take(16)
  const mrEnclave = take(32)
  skip(32)
  const mrSigner = take(32)
  skip(96)
  const isvProdId = reader.u16('ISVPRODID')
  const isvSvn = reader.u16('ISVSVN')
  skip(60)
  return { cpuSvn, miscSelect, attributes, mrEnclave, mrSigner, isvProdId, isvSvn, reportData: take(64) }
}
