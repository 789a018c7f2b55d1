import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readFile, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, throwIfAborted } from '../../core/abort.ts'
import { CancelledError, EnvironmentError, errorCode, isMissingPath } from '../../core/errors.ts'

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

export interface TsmOptions extends AbortOptions {
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
 * Whether the kernel has the interface at all: false on a machine that is no guest of a TEE, and where configfs is not
 * mounted.
 *
 * @throws {EnvironmentError} `EVIDENCE_UNAVAILABLE` if that cannot be told
 */
export async function hasTsm(root: string = TSM_REPORT_ROOT): Promise<boolean> {
  try {
    return (await stat(root)).isDirectory()
  } catch (cause) {
    if (isMissingPath(cause)) {
      return false
    }
    throw new EnvironmentError(
      'EVIDENCE_UNAVAILABLE',
      `${root} cannot be looked at (${errorCode(cause) ?? 'unknown'})`,
      { cause }
    )
  }
}

/**
 * Asks the kernel for a report that binds `reportData`, through an entry of its own that goes again. Whether the report
 * really binds it is for whoever can read it. The kernel waits for the host, up to half a minute; that wait cannot be cut
 * short.
 *
 * @param reportData 64 bytes
 * @throws {EnvironmentError} `EVIDENCE_UNAVAILABLE` if no entry can be made, `EVIDENCE_FAILED` if the platform makes no
 *   report, or one of an unknown kind
 * @throws {CancelledError} `CANCELLED`
 */
export async function readTsmReport(reportData: Uint8Array, options: TsmOptions = {}): Promise<TsmReport> {
  const { root = TSM_REPORT_ROOT, makeEntry = (path: string) => mkdir(path, { mode: 0o700 }), signal } = options
  throwIfAborted(signal)
  const entry = join(root, `cocoon-${randomBytes(8).toString('hex')}`)
  try {
    await makeEntry(entry)
  } catch (cause) {
    throw new EnvironmentError('EVIDENCE_UNAVAILABLE', `No entry can be made in ${root}: ${whyNoEntry(cause)}`, {
      cause
    })
  }
  try {
    return await ask(entry, reportData, { ...(signal && { signal }) })
  } catch (cause) {
    throwIfAborted(signal)
    if (cause instanceof EnvironmentError || cause instanceof CancelledError) {
      throw cause
    }
    throw new EnvironmentError(
      'EVIDENCE_FAILED',
      `The platform made no report (${errorCode(cause) ?? 'unknown'}): ${whyNoReport(cause)}`,
      { cause }
    )
  } finally {
    await rmdir(entry).catch(() => undefined)
  }
}

async function ask(entry: string, reportData: Uint8Array, options: AbortOptions): Promise<TsmReport> {
  const name = (await readFile(join(entry, 'provider'), { encoding: 'latin1', ...options })).trim()
  const provider = PROVIDERS.find(known => known === name)
  if (provider === undefined) {
    throw new EnvironmentError(
      'EVIDENCE_FAILED',
      `The platform's reports are by ${JSON.stringify(name.slice(0, 32))}: expected ${PROVIDERS.join(' or ')}`
    )
  }
  // The kernel takes what was written when the file is closed, and as one write: neither created nor cut.
  const inblob = await open(join(entry, 'inblob'), constants.O_WRONLY)
  try {
    const { bytesWritten } = await inblob.write(reportData)
    if (bytesWritten !== reportData.byteLength) {
      throw new EnvironmentError('EVIDENCE_FAILED', `The kernel took ${bytesWritten} bytes of ${reportData.byteLength}`)
    }
  } finally {
    await inblob.close()
  }
  const outblob = await readBlob(join(entry, 'outblob'), options)
  const auxblob = provider === 'sev_guest' ? await readBlob(join(entry, 'auxblob'), options) : new Uint8Array()
  return { provider, outblob, auxblob: auxblob.byteLength === 0 ? undefined : auxblob }
}

async function readBlob(path: string, options: AbortOptions): Promise<Uint8Array> {
  const bytes = await readFile(path, options)
  if (bytes.byteLength > MAX_BLOB_BYTES) {
    throw new EnvironmentError(
      'EVIDENCE_FAILED',
      `The platform's report has ${bytes.byteLength} bytes: expected at most ${MAX_BLOB_BYTES}`
    )
  }
  return new Uint8Array(bytes)
}

function whyNoEntry(cause: unknown): string {
  switch (errorCode(cause)) {
    case 'ENXIO':
      return 'the kernel found no TEE to ask; load the module tdx_guest or sev-guest, or set the evidence to simulated'
    case 'ENOENT':
      return 'it does not exist; mount configfs (mount -t configfs none /sys/kernel/config) in a guest of Linux 6.7 or later'
    case 'EACCES':
    case 'EPERM':
      return 'this user may not; configfs belongs to root'
    default:
      return errorCode(cause) ?? 'unknown'
  }
}

function whyNoReport(cause: unknown): string {
  return errorCode(cause) === 'EACCES'
    ? 'this user may not use the entry; configfs belongs to root'
    : "see the guest kernel's log and the host's quoting service"
}
