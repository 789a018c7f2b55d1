import { sha256 } from '../core/bytes.ts'
import { canonicalBytes } from './document.ts'
import type { Statement } from './statement.ts'

const GPU_DOMAIN = 'cocoon/gpu/v1'

/**
 * What a GPU's report must answer: SHA-256("cocoon/gpu/v1" ‖ RFC 8785 bytes of the statement without `gpuEvidence`), 32
 * bytes. The statement then names the reports, and the CPU's evidence binds the statement: each side names the other.
 */
export function gpuNonce(statement: Statement): Uint8Array {
  const { gpuEvidence: _, ...rest } = statement
  return sha256(GPU_DOMAIN, canonicalBytes(rest))
}
