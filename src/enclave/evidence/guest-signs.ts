import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EnvironmentError, errorCode, isMissingPath } from '../../core/errors.ts'

/**
 * What the kernel shows in a guest of a TEE, whether or not configfs is mounted and a module is loaded. The devices of
 * `/dev` come with the modules; the platform device is registered by every kernel that booted under SEV-SNP
 * (`arch/x86/coco/sev/core.c`), since 5.19.
 */
const NODES: ReadonlyArray<{ path: string; guest: string }> = [
  { path: 'dev/tdx_guest', guest: 'TDX' },
  { path: 'dev/sev-guest', guest: 'SEV-SNP' },
  { path: 'sys/devices/platform/sev-guest', guest: 'SEV-SNP' }
]

/** A feature that the kernel sets itself where it runs as a TD (`arch/x86/coco/tdx/tdx.c`), since 5.19. */
const TD_FLAG = /^flags[\t ]*:(?:.*[\t ])?tdx_guest(?:[\t ]|$)/m

/** What says that this machine is a guest of a TEE. */
export interface GuestSign {
  /** Name of the TEE, for people. */
  readonly guest: string
  /** The file that says so. */
  readonly path: string
}

/**
 * Looks for signs of a TEE beside its interface for reports. None of them proves anything to anybody: they only tell a
 * guest that is not set up from a machine that is none.
 *
 * @param root folder that stands for `/`
 * @throws {EnvironmentError} `EVIDENCE_UNAVAILABLE` if that cannot be told
 */
export async function findGuestSign(root = '/'): Promise<GuestSign | undefined> {
  const cpuinfo = join(root, 'proc/cpuinfo')
  const flags = await unlessMissing(cpuinfo, () => readFile(cpuinfo, 'latin1'))
  if (flags !== undefined && TD_FLAG.test(flags)) {
    return { guest: 'TDX', path: cpuinfo }
  }
  for (const { path, guest } of NODES) {
    const node = join(root, path)
    if ((await unlessMissing(node, () => stat(node))) !== undefined) {
      return { guest, path: node }
    }
  }
  return undefined
}

async function unlessMissing<T>(path: string, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look()
  } catch (cause) {
    if (isMissingPath(cause)) {
      return undefined
    }
    throw new EnvironmentError(
      'EVIDENCE_UNAVAILABLE',
      `${path} cannot be looked at (${errorCode(cause) ?? 'unknown'}), so whether this is a guest of a TEE is not known: set provider.evidence to tdx, snp or simulated`,
      { cause }
    )
  }
}
