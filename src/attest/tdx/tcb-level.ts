import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { IsvLevel } from './collateral-fields.ts'
import type { Platform } from './pck.ts'
import { masked, matchIsvLevel } from './qe-identity.ts'
import type { TcbInfo, TcbLevel } from './tcb-info.ts'
import { convergeStatus, readTcbStatus, type TcbStatus } from './tcb-status.ts'
import type { TdReport } from './td-report.ts'

/** What Intel says about a platform: its own level, the quoting enclave's and the TDX module's taken together. */
export interface PlatformTcb {
  readonly status: TcbStatus
  /** Of all three levels, without repeats. */
  readonly advisoryIds: readonly string[]
  /** The platform level's date, as Intel writes it. */
  readonly tcbDate: string
}

/**
 * The platform's level: the first, hence highest, all of whose security versions it reaches (Intel PCS API v4,
 * "TCB info", the matching algorithm of version 3).
 *
 * @throws {AttestationError} `ATTESTATION_TCB_LEVEL_UNKNOWN` if it reaches none
 */
export function matchTcbLevel(info: TcbInfo, platform: Platform, td: TdReport | undefined): TcbLevel {
  const level = info.tcbLevels.find(
    ({ tcb }) =>
      reaches(platform.sgxComponents, tcb.sgxtcbcomponents, 0) &&
      platform.pceSvn >= tcb.pcesvn &&
      (td === undefined || reachesTdx(td, tcb.tdxtcbcomponents))
  )
  if (level === undefined) {
    throw new AttestationError(
      'ATTESTATION_TCB_LEVEL_UNKNOWN',
      `The platform ${platform.fmspc} is below every TCB level that Intel lists: its owner must update it`
    )
  }
  return level
}

/**
 * The level of the TDX module a TD runs under, by the module's major version; undefined for the first modules, whose
 * versions stand in the platform's level. Its signer and attributes must be Intel's.
 *
 * @throws {AttestationError} `ATTESTATION_TDX_MODULE_UNKNOWN`, `ATTESTATION_TDX_SEAM_SIGNER_UNKNOWN`,
 *   `ATTESTATION_TDX_SEAM_ATTRIBUTES_UNKNOWN`, `ATTESTATION_TCB_LEVEL_UNKNOWN`
 */
export function matchTdxModule(info: TcbInfo, td: TdReport): IsvLevel | undefined {
  const [minor = 0, major = 0] = td.teeTcbSvn
  const id = `TDX_${toHex(Uint8Array.of(major)).toUpperCase()}`
  const known = info.tdxModuleIdentities?.filter(identity => identity.id === id) ?? []
  const [identity] = major === 0 ? [info.tdxModule] : known
  if (identity === undefined || known.length > 1) {
    throw new AttestationError(
      'ATTESTATION_TDX_MODULE_UNKNOWN',
      `The TDX module is none of Intel's: it lists ${known.length} modules ${id}`
    )
  }
  if (identity.mrsigner !== toHex(td.mrSignerSeam)) {
    throw new AttestationError(
      'ATTESTATION_TDX_SEAM_SIGNER_UNKNOWN',
      `The TDX module is signed by ${toHex(td.mrSignerSeam)}: Intel lists ${identity.mrsigner}`
    )
  }
  if (identity.attributes !== masked(td.seamAttributes, identity.attributesMask)) {
    throw new AttestationError(
      'ATTESTATION_TDX_SEAM_ATTRIBUTES_UNKNOWN',
      `The TDX module has the attributes ${toHex(td.seamAttributes)}: Intel lists ${identity.attributes}`
    )
  }
  return 'tcbLevels' in identity ? matchIsvLevel(identity.tcbLevels, minor, `The TDX module ${id}`) : undefined
}

/** Takes the platform's level together with those of its parts. */
export function convergeLevels(platform: TcbLevel, parts: readonly IsvLevel[]): PlatformTcb {
  const levels = [platform, ...parts]
  return {
    status: parts.map(part => readTcbStatus(part.tcbStatus)).reduce(convergeStatus, readTcbStatus(platform.tcbStatus)),
    advisoryIds: [...new Set(levels.flatMap(({ advisoryIDs = [] }) => advisoryIDs))],
    tcbDate: platform.tcbDate
  }
}

function reachesTdx(td: TdReport, wanted: TcbLevel['tcb']['tdxtcbcomponents']): boolean {
  // From version 1 on, the first two components are the module's own, judged by its identity.
  return wanted !== undefined && reaches([...td.teeTcbSvn], wanted, (td.teeTcbSvn[1] ?? 0) === 0 ? 0 : 2)
}

function reaches(has: readonly number[], wanted: ReadonlyArray<{ readonly svn: number }>, from: number): boolean {
  return wanted.every(({ svn }, i) => i < from || (has[i] ?? -1) >= svn)
}
