import { CocoonError, EnvironmentError, type ErrorClass, PeerError } from '../core/errors.ts'

/** What crosses the pipe of an error: nothing of what was said. */
export interface WireFault {
  code: string
  message: string
  errorClass: string
}

/** Codes whose messages are made of names, numbers and paths only. Any other error crosses without its message. */
const SAFE_CODES =
  /^(?:MODEL|GPU|LLAMA|PROMPT|SEAL|ENCLAVE|EVIDENCE|MESSAGE)_[A-Z_]+$|^(?:INFERENCE_FAILED|ENGINE_CLOSED|JOB_REQUEST_INVALID|CANCELLED|PACKAGE_ROOT_NOT_FOUND)$/

/** What the host may learn of an error inside the enclave. */
export function toFault(err: unknown): WireFault {
  if (err instanceof CocoonError && SAFE_CODES.test(err.code)) {
    return { code: err.code, message: err.message, errorClass: err.errorClass }
  }
  return { code: 'ENCLAVE_FAILED', message: 'The enclave failed unexpectedly: restart it', errorClass: 'internal' }
}

/** As {@link toFault} for one client's job: what its request did wrong is the client's to read. */
export function toJobFault(err: unknown): WireFault {
  const fault = toFault(err)
  return fault.errorClass === 'usage' ? { ...fault, errorClass: 'peer' } : fault
}

/** The host's error for a fault that came over the pipe. */
export function fromFault({ code, message, errorClass }: WireFault): CocoonError {
  switch (errorClass) {
    case 'peer':
      return new PeerError(code, message)
    case 'environment':
      return new EnvironmentError(code, message)
    default:
      return new CocoonError(isOwnClass(errorClass) ? errorClass : 'internal', code, message)
  }
}

function isOwnClass(name: string): name is ErrorClass {
  return name === 'usage' || name === 'cancelled' || name === 'attestation'
}
