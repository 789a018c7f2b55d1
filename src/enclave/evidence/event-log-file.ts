import { readFile } from 'node:fs/promises'
import { trimEventLog } from '../../attest/tdx/event-log.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { AttestationError, EnvironmentError, errorCode, isMissingPath } from '../../core/errors.ts'

/** Where Linux shows what a TD's firmware logged of its measurements (ACPI table CCEL). */
export const EVENT_LOG_PATH = '/sys/firmware/acpi/tables/data/CCEL'

/** Of a log that is not in its format: enough for the host to see that. */
const MAX_UNKNOWN_BYTES = 64 * 1024

/**
 * The firmware's log without the erased memory behind it, or undefined where the firmware keeps none. One that is not in
 * its format is handed on as it is: the host leaves it out, and has a log of its own to say so in.
 *
 * @throws {EnvironmentError} `EVIDENCE_EVENT_LOG_UNREADABLE` if there is one that cannot be read
 */
export async function readEventLogFile(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
  const bytes = await readBytes(path, options)
  try {
    return bytes && trimEventLog(bytes)
  } catch (cause) {
    if (!(cause instanceof AttestationError)) {
      throw cause
    }
    return bytes?.subarray(0, MAX_UNKNOWN_BYTES)
  }
}

async function readBytes(path: string, options: AbortOptions): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path, options))
  } catch (cause) {
    if (isMissingPath(cause)) {
      return undefined
    }
    throw new EnvironmentError(
      'EVIDENCE_EVENT_LOG_UNREADABLE',
      `The firmware's event log ${path} cannot be read (${errorCode(cause) ?? 'unknown'}): let this user read it`,
      { cause }
    )
  }
}
