import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EnvironmentError, errorCode } from '../../core/errors.ts'

/** Where Linux offers reports of the TEE it runs in (`Documentation/ABI/testing/configfs-tsm`), since 6.7. */
export const TSM_REPORT_ROOT = '/sys/kernel/config/tsm/report'

/** Twice the most the kernel hands out. */
const MAX_BLOB_BYTES = 64 * 1024

/** Makers of reports that are known here, as the kernel calls them. */
const PROVIDERS = ['tdx_guest', 'sev_guest'] as const

export type TsmProvider = (typeof PROVIDERS)[number]

export interface TsmReport {
  readonly provider: TsmProvider
  /** The quote or report. */
  readonly outblob: Uint8Array
  /** SEV-SNP: the host's table of certificates, if it has one. */
  readonly auxblob: Uint8Array | undefined
}

export interface TsmOptions {
  /** @default {@link TSM_REPORT_ROOT} */
  root?: string
  /**
   * Makes an entry; the kernel fills it by itself, a test's tree has to.
   *
   * @default mkdir
   */
  makeEntry?: (path: string) => Promise<unknown>
}

/**
 * Asks the kernel for a report that binds `reportData`, through an entry of its own that nobody else can write to, and that
 * goes again. Whether the report really binds it is for whoever can read it.
 *
 * @param reportData 64 bytes
 * @throws {EnvironmentError} `EVIDENCE_UNAVAILABLE` if no entry can be made, `EVIDENCE_FAILED` if the platform makes no
 *   report, or one of an unknown kind
 */
export async function readTsmReport(reportData: Uint8Array, options: TsmOptions = {}): Promise<TsmReport> {
  const { root = TSM_REPORT_ROOT, makeEntry = (path: string) => mkdir(path, { mode: 0o700 }) } = options
  const entry = join(root, `cocoon-${randomBytes(8).toString('hex')}`)
  try {
    await makeEntry(entry)
  } catch (cause) {
    throw new EnvironmentError(
      'EVIDENCE_UNAVAILABLE',
      `No entry can be made in ${root} (${errorCode(cause) ?? 'unknown'}): mount configfs in the guest and let this user write there`,
      { cause }
    )
  }
  try {
    return await ask(entry, reportData)
  } catch (cause) {
    if (cause instanceof EnvironmentError) {
      throw cause
    }
    throw new EnvironmentError(
      'EVIDENCE_FAILED',
      `The platform made no report (${errorCode(cause) ?? 'unknown'}): see the guest kernel's log and the host's quoting service`,
      { cause }
    )
  } finally {
    await rmdir(entry).catch(() => undefined)
  }
}

async function ask(entry: string, reportData: Uint8Array): Promise<TsmReport> {
  const inblob = await open(join(entry, 'inblob'), constants.O_WRONLY)
  try {
    await inblob.write(reportData)
  } finally {
    await inblob.close()
  }
  const name = (await readFile(join(entry, 'provider'), 'latin1')).trim()
  const provider = PROVIDERS.find(known => known === name)
  if (provider === undefined) {
    throw new EnvironmentError(
      'EVIDENCE_FAILED',
      `The platform's reports are by ${JSON.stringify(name.slice(0, 32))}: expected ${PROVIDERS.join(' or ')}`
    )
  }
  const outblob = await readBlob(join(entry, 'outblob'))
  const auxblob = provider === 'sev_guest' ? await readBlob(join(entry, 'auxblob')) : new Uint8Array()
  return { provider, outblob, auxblob: auxblob.byteLength === 0 ? undefined : auxblob }
}

async function readBlob(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path)
  if (bytes.byteLength > MAX_BLOB_BYTES) {
    throw new EnvironmentError(
      'EVIDENCE_FAILED',
      `The platform's report has ${bytes.byteLength} bytes: expected at most ${MAX_BLOB_BYTES}`
    )
  }
  return new Uint8Array(bytes)
}
