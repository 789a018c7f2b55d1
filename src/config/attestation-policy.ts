import * as z from 'zod'
import { UsageError } from '../core/errors.ts'
import { parseSettings } from './parse-settings.ts'
import { flag, group, list, oneOf, text, wholeNumber } from './setting.ts'

/**
 * What a client's owner may ask of enclaves, in a file that `client.attestationPolicy` names. Everything has a default,
 * but no image is accepted before one is listed here. Lists allow: an empty one denies all.
 */

const MAX_ITEMS = 256

function many<T extends z.core.SomeType>(item: T) {
  return list(item).max(MAX_ITEMS, { error: `at most ${MAX_ITEMS}` })
}

function hex(bytes: number) {
  const error = `${bytes} bytes in lower-case hex`
  return z.string({ error }).regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), { error })
}

const measurement = hex(48)
const ZERO = '00'.repeat(48)

const tdxImage = group({
  tier: z.literal('tdx'),
  /** For people. */
  name: text(64),
  /** MRTD: the virtual firmware. */
  mrTd: measurement,
  /** RTMR 0: the firmware's settings and tables. They differ with the size of the machine: one entry for each. */
  rtmr0: measurement,
  /** RTMR 1: boot loader and kernel. */
  rtmr1: measurement,
  /** RTMR 2: the kernel's command line and the initial file system. */
  rtmr2: measurement,
  /**
   * RTMR 3: what software added.
   * @default zero, nothing
   */
  rtmr3: measurement.default(ZERO),
  /** SHA-256 of the enclave program in the image, as `cocoon-node attest bundle` prints it. */
  bundleDigest: hex(32)
})

const snpImage = group({
  tier: z.literal('snp'),
  /** For people. */
  name: text(64),
  /** The launch measurement: firmware, kernel, command line and initial file system. */
  measurement,
  /** SHA-256 of the enclave program in the image, as `cocoon-node attest bundle` prints it. */
  bundleDigest: hex(32)
})

const svn = wholeNumber(0, 255).default(0)
const tcb = group({ fmc: svn, bootLoader: svn, tee: svn, snp: svn, microcode: svn })

const tdx = group({
  /**
   * What Intel may say of the platform's security level.
   * @default ["UpToDate"]
   */
  acceptedTcbStatuses: many(
    oneOf(
      'UpToDate',
      'SWHardeningNeeded',
      'ConfigurationNeeded',
      'ConfigurationAndSWHardeningNeeded',
      'OutOfDate',
      'OutOfDateConfigurationNeeded'
    )
  ).default(['UpToDate']),
  /**
   * Advisories of Intel's that may stand against the platform.
   * @default any that an accepted status brings
   */
  acceptedAdvisories: many(text(64)).optional(),
  /**
   * Attributes that a TD may set besides SEPT_VE_DISABLE. Debugging is never accepted.
   * @default []
   */
  allowedTdAttributes: many(oneOf('lass', 'pks', 'keyLocker', 'perfmon')).default([]),
  /**
   * The least evaluation number of Intel's data: it counts their TCB recoveries.
   * @default 0
   */
  minTcbEvaluationDataNumber: wholeNumber(0, 1_000_000).default(0)
})

const snp = group({
  /**
   * Processors to accept, each with the least versions of its firmware. Milan's root secret was extracted by software:
   * naming it means trusting whoever owns such a machine.
   * @default genoa and turin at any version
   */
  minimumTcb: group({ milan: tcb.optional(), genoa: tcb.optional(), turin: tcb.optional() }).prefault({
    genoa: {},
    turin: {}
  }),
  /**
   * Privilege levels whose reports are accepted.
   * @default [0]
   */
  vmpls: many(wholeNumber(0, 3)).default([0]),
  /**
   * The least firmware interface that the guest itself demands: major, minor.
   * @default [0, 0]
   */
  minimumAbi: z
    .tuple([wholeNumber(0, 255), wholeNumber(0, 255)], { error: 'two numbers, major and minor' })
    .default([0, 0]),
  /**
   * Guests whose processors may share a core with somebody else's thread.
   * @default true
   */
  allowSmt: flag.default(true),
  /**
   * Guests that a migration agent may move, and read.
   * @default false
   */
  allowMigrationAgent: flag.default(false),
  /**
   * Guests whose memory may lie behind a CXL link.
   * @default false
   */
  allowCxl: flag.default(false),
  /**
   * What the firmware must say of the machine; `aliasCheckComplete` is the defence against BadRAM.
   * @default []
   */
  requiredPlatform: many(
    oneOf(
      'smtEnabled',
      'tsmeEnabled',
      'eccEnabled',
      'raplDisabled',
      'ciphertextHiding',
      'aliasCheckComplete',
      'trustedIo'
    )
  ).default([])
})

const gpu = group({
  /**
   * Drivers to accept, like "550.90.07".
   * @default any that NVIDIA signed golden measurements for
   */
  driverVersions: many(text(32)).optional(),
  /**
   * VBIOSes to accept, like "96.00.9F.00.01".
   * @default any that NVIDIA signed golden measurements for
   */
  vbiosVersions: many(text(32)).optional()
})

const deny = group({
  /**
   * Enclave programs, by the SHA-256 of their files.
   * @default []
   */
  bundleDigests: many(hex(32)).default([]),
  /**
   * Providers, by peer id.
   * @default []
   */
  peerIds: many(text(128)).default([]),
  /**
   * Intel platforms, by FMSPC.
   * @default []
   */
  fmspcs: many(hex(6)).default([])
})

/** The one schema of a policy file. An unknown key is an error at every level. */
export const attestationPolicySchema = group({
  version: z.literal(1, { error: '1, the version of this format' }),
  /**
   * Tiers to accept. A simulated enclave is accepted by `client.allowSimulated` alone.
   * @default all that are real
   */
  acceptedTiers: many(oneOf('tdx+gpu', 'tdx', 'snp')).default(['tdx+gpu', 'tdx', 'snp']),
  /**
   * Guest images to accept.
   * @default []: none
   */
  images: many(
    z.discriminatedUnion('tier', [tdxImage, snpImage], { error: 'an image with the tier tdx or snp' })
  ).default([]),
  tdx: tdx.prefault({}),
  snp: snp.prefault({}),
  gpu: gpu.prefault({}),
  deny: deny.prefault({}),
  /**
   * A statement older than this is refused even if it says it is still valid, in minutes.
   * @default 120
   */
  maxStatementAgeMinutes: wholeNumber(1, 1_440).default(120),
  /**
   * How far an enclave's clock may run ahead of ours, in seconds.
   * @default 60
   */
  clockSkewSeconds: wholeNumber(0, 3_600).default(60),
  /**
   * How many blocks behind our view of the chain the block that a statement names may be.
   * @default 20000
   */
  maxBeaconAgeBlocks: wholeNumber(1, 10_000_000).default(20_000)
})

/** A policy file's content, defaults filled in. */
export type PolicySettings = z.output<typeof attestationPolicySchema>

/**
 * Reads the text of a policy file.
 *
 * @param source what errors name, e.g. the file's path
 * @throws {UsageError} `POLICY_UNKNOWN_KEY`, `POLICY_INVALID`
 */
export function parseAttestationPolicy(json: string, source: string): PolicySettings {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new UsageError('POLICY_INVALID', `${source}: not valid JSON: expected an object of settings`)
  }
  const kind = { unknownKey: 'POLICY_UNKNOWN_KEY', invalid: 'POLICY_INVALID', source }
  return parseSettings(attestationPolicySchema, value, kind)
}

/** JSON Schema (draft 2020-12) of a policy file, for editors. */
export function attestationPolicyJsonSchema(): unknown {
  return z.toJSONSchema(attestationPolicySchema, { io: 'input' })
}
