import { readFile } from 'node:fs/promises'
import { trimEventLog } from '../../attest/tdx/event-log.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { EnvironmentError, errorCode, errorMessage } from '../../core/errors.ts'

/** Where Linux shows what a TD's firmware logged of its measurements (ACPI table CCEL). */
export const EVENT_LOG_PATH = '/sys/firmware/acpi/tables/data/CCEL'

/**
 * The firmware's log without the erased memory behind it, or undefined where the firmware keeps none.
 *
 * @throws {EnvironmentError} `EVIDENCE_EVENT_LOG_UNREADABLE` if there is one that cannot be read or understood
 */
export async function readEventLogFile(path: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
  try {
    return trimEventLog(new Uint8Array(await readFile(path, options)))
  } catch (cause) {
    const code = errorCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return undefined
    }
    const why = code?.startsWith('ATTESTATION_') === true ? errorMessage(cause) : (code ?? 'unknown')
    throw new EnvironmentError(
      'EVIDENCE_EVENT_LOG_UNREADABLE',
      `The event log ${path} cannot be used: ${why}. Let this user read it, or turn the event log off`,
      { cause }
    )
  }
}
