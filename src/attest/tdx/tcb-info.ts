import { DocumentFault, integer, list, object, oneOf, optional, type Reader, text } from '../document.ts'
import {
  anyHex,
  date,
  type IsvLevel,
  isvLevels,
  levelFields,
  readSignedJson,
  someOf,
  svn
} from './collateral-fields.ts'

const TCB_COMPONENTS = 16
const MAX_MODULES = 32

interface TcbComponent {
  readonly svn: number
  readonly category?: string
  readonly type?: string
}

/** The TDX modules whose major version is in the identity's name. */
export interface ModuleIdentity {
  readonly id: string
  readonly mrsigner: string
  readonly attributes: string
  readonly attributesMask: string
  readonly tcbLevels: readonly IsvLevel[]
}

/** A level of the platform: at least these security versions. */
export interface TcbLevel {
  readonly tcb: {
    readonly sgxtcbcomponents: readonly TcbComponent[]
    readonly pcesvn: number
    readonly tdxtcbcomponents?: readonly TcbComponent[]
  }
  readonly tcbDate: string
  readonly tcbStatus: string
  readonly advisoryIDs?: readonly string[]
}

/** TCB info of version 3 (Intel Provisioning Certification Service API v4), hex in lower case. */
export interface TcbInfo {
  readonly id: 'SGX' | 'TDX'
  readonly version: 3
  readonly issueDate: number
  readonly nextUpdate: number
  readonly fmspc: string
  readonly pceId: string
  readonly tcbType: 0
  readonly tcbEvaluationDataNumber: number
  readonly tdxModule?: Omit<ModuleIdentity, 'id' | 'tcbLevels'>
  readonly tdxModuleIdentities?: readonly ModuleIdentity[]
  readonly tcbLevels: readonly TcbLevel[]
}

const label = text(/^[\x20-\x7e]{1,64}$/, 'a short text')

const components: Reader<TcbComponent[]> = (value, name) => {
  const read = list(
    object<TcbComponent>({ svn: integer(0, 255), category: optional(label), type: optional(label) }),
    16
  )
  const found = read(value, name)
  if (found.length !== TCB_COMPONENTS) {
    throw new DocumentFault(`${name} has ${found.length} components: expected ${TCB_COMPONENTS}`)
  }
  return found
}

const moduleFields = { mrsigner: anyHex(48), attributes: anyHex(8), attributesMask: anyHex(8) }

const readTcbInfoValue = object<TcbInfo>({
  id: oneOf(['SGX', 'TDX']),
  version: oneOf([3]),
  issueDate: date,
  nextUpdate: date,
  fmspc: anyHex(6),
  pceId: anyHex(2),
  tcbType: oneOf([0]),
  tcbEvaluationDataNumber: integer(0, 0xffff_ffff),
  tdxModule: optional(object(moduleFields)),
  tdxModuleIdentities: optional(
    someOf(
      object({ id: text(/^TDX_[0-9A-F]{2}$/, 'TDX_ and a version'), ...moduleFields, tcbLevels: isvLevels }),
      MAX_MODULES
    )
  ),
  tcbLevels: someOf(
    object<TcbLevel>({
      tcb: object<TcbLevel['tcb']>({
        sgxtcbcomponents: components,
        pcesvn: svn,
        tdxtcbcomponents: optional(components)
      }),
      ...levelFields
    })
  )
})

/** @throws {AttestationError} `ATTESTATION_COLLATERAL_INVALID` also for a field that is not known */
export function readTcbInfo(json: string): TcbInfo {
  return readSignedJson(json, 'The TCB info', readTcbInfoValue)
}
