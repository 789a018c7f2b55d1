import { createHash } from 'node:crypto'
import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { ByteReader, isZero, LayoutFault } from './byte-reader.ts'
import type { TdReport } from './td-report.ts'

/** Largest event log that is read, in bytes: what firmware reserves, with room. */
export const MAX_EVENT_LOG_BYTES = 512 * 1024

const MAX_EVENTS = 4096
const MAX_DIGESTS = 4
const MAX_EVENT_BYTES = 128 * 1024
const SPEC_ID = 'Spec ID Event03\0'
const EV_NO_ACTION = 3
const SHA384 = 0x0c
const SHA384_BYTES = 48
/** Sizes of the hashes of the TCG's registry that a log may name. */
const DIGEST_BYTES: Readonly<Record<number, number>> = { 0x04: 20, 0x0b: 32, [SHA384]: SHA384_BYTES, 0x0d: 64 }
const RTMR_COUNT = 4

/** One measurement. What it says of itself counts only as far as its digest binds it. */
export interface MeasuredEvent {
  /** 0 to 3; undefined for an event that extends no register of the TD. */
  readonly rtmr: 0 | 1 | 2 | 3 | undefined
  /** TCG PC Client event type. */
  readonly type: number
  /** SHA-384, 48 bytes. */
  readonly digest: Uint8Array
  readonly data: Uint8Array
  /** Whether {@link digest} is the SHA-384 of {@link data}; many kinds of event hash something else. */
  readonly bindsData: boolean
}

/**
 * Reads a confidential computing event log (UEFI 2.10 §38.4.1) in the TCG's crypto-agile format: the header event, then
 * events with a SHA-384 digest each, up to erased memory (ones), zeros, or the end.
 *
 * @throws {AttestationError} `ATTESTATION_EVENT_LOG_TOO_LARGE`, `ATTESTATION_EVENT_LOG_INVALID`
 */
export function parseEventLog(bytes: Uint8Array): MeasuredEvent[] {
  return readEventLog(bytes).events
}

/**
 * A log without the erased memory behind its last event: firmware reserves far more than it fills.
 *
 * @throws {AttestationError} those of {@link parseEventLog}
 */
export function trimEventLog(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, readEventLog(bytes).sizeBytes)
}

function readEventLog(bytes: Uint8Array): { events: MeasuredEvent[]; sizeBytes: number } {
  if (bytes.byteLength > MAX_EVENT_LOG_BYTES) {
    throw new AttestationError(
      'ATTESTATION_EVENT_LOG_TOO_LARGE',
      `An event log has ${bytes.byteLength} bytes: expected at most ${MAX_EVENT_LOG_BYTES}`
    )
  }
  try {
    const reader = new ByteReader(bytes)
    const algorithms = readHeaderEvent(reader)
    const events: MeasuredEvent[] = []
    let sizeBytes = reader.offset
    for (let index = readIndex(reader); index !== undefined; index = readIndex(reader)) {
      if (events.length === MAX_EVENTS) {
        throw new LayoutFault(`it has more than ${MAX_EVENTS} events`)
      }
      events.push(readEvent(reader, index, algorithms))
      sizeBytes = reader.offset
    }
    return { events, sizeBytes }
  } catch (cause) {
    if (!(cause instanceof LayoutFault)) {
      throw cause
    }
    throw new AttestationError('ATTESTATION_EVENT_LOG_INVALID', `An event log is not in its format: ${cause.message}`, {
      cause
    })
  }
}

/** What the four registers hold after these events: each extends SHA-384(register ‖ digest), from zero. */
export function replayEventLog(events: readonly MeasuredEvent[]): Uint8Array[] {
  const registers = Array.from({ length: RTMR_COUNT }, () => new Uint8Array(SHA384_BYTES))
  for (const { rtmr, digest, type } of events) {
    const register = rtmr === undefined || type === EV_NO_ACTION ? undefined : registers[rtmr]
    if (rtmr !== undefined && register !== undefined) {
      registers[rtmr] = new Uint8Array(createHash('sha384').update(register).update(digest).digest())
    }
  }
  return registers
}

/**
 * Decides whether an event log is what the registers of a verified TD hold, all four of them.
 *
 * @returns the log's events
 * @throws {AttestationError} `ATTESTATION_EVENT_LOG_MISMATCH`, and those of {@link parseEventLog}
 */
export function verifyEventLog(log: Uint8Array, td: Pick<TdReport, 'rtmrs'>): MeasuredEvent[] {
  const events = parseEventLog(log)
  const replayed = replayEventLog(events)
  for (const [index, rtmr] of td.rtmrs.entries()) {
    const digest = toHex(replayed[index] ?? new Uint8Array())
    if (digest !== toHex(rtmr)) {
      throw new AttestationError(
        'ATTESTATION_EVENT_LOG_MISMATCH',
        `The event log gives RTMR${index} ${digest}: the quote has ${toHex(rtmr)}`
      )
    }
  }
  return events
}

/** TCG_PCClientPCREvent with the TCG_EfiSpecIdEvent: which digests every event has, by algorithm. */
function readHeaderEvent(reader: ByteReader): ReadonlyMap<number, number> {
  reader.u32('The register of the header')
  const type = reader.u32('The type of the header')
  reader.bytes(20, 'The digest of the header')
  const header = new ByteReader(reader.bytes(reader.u32('The size of the header'), 'The header'))
  const signature = Buffer.from(header.bytes(SPEC_ID.length, 'The signature')).toString('latin1')
  if (type !== EV_NO_ACTION || signature !== SPEC_ID) {
    throw new LayoutFault('it does not begin with a crypto-agile header')
  }
  header.bytes(8, 'The version')
  const count = header.u32('The number of digests')
  if (count === 0 || count > MAX_DIGESTS) {
    throw new LayoutFault(`events have ${count} digests: expected 1 to ${MAX_DIGESTS}`)
  }
  const algorithms = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const algorithm = header.u16('A digest')
    const size = header.u16('The size of a digest')
    if (DIGEST_BYTES[algorithm] !== size || algorithms.has(algorithm)) {
      throw new LayoutFault(`digest 0x${algorithm.toString(16)} of ${size} bytes is unknown, or stands twice`)
    }
    algorithms.set(algorithm, size)
  }
  header.bytes(header.u8('The size of what the vendor adds'), 'What the vendor adds')
  header.expectEnd('The header')
  if (!algorithms.has(SHA384)) {
    throw new LayoutFault('its events have no SHA-384 digest')
  }
  return algorithms
}

/** The next event's register, or undefined where the log ends. */
function readIndex(reader: ByteReader): number | undefined {
  const rest = reader.rest()
  const erased = rest.length > 0 && rest.every(byte => byte === 0xff)
  if (isZero(rest) || erased) {
    return undefined
  }
  return reader.u32('A register')
}

/** TCG_PCR_EVENT2. */
function readEvent(reader: ByteReader, index: number, algorithms: ReadonlyMap<number, number>): MeasuredEvent {
  const type = reader.u32('The type of an event')
  const count = reader.u32('The number of digests')
  const digests = new Map<number, Uint8Array>()
  if (count !== algorithms.size) {
    throw new LayoutFault(`an event has ${count} digests: the header says ${algorithms.size}`)
  }
  for (let i = 0; i < count; i++) {
    const algorithm = reader.u16('A digest')
    const size = algorithms.get(algorithm)
    if (size === undefined || digests.has(algorithm)) {
      throw new LayoutFault(`an event has the digest 0x${algorithm.toString(16)}, not of the header, or twice`)
    }
    digests.set(algorithm, reader.bytes(size, 'A digest'))
  }
  const size = reader.u32('The size of an event')
  if (size > MAX_EVENT_BYTES) {
    throw new LayoutFault(`an event has ${size} bytes: expected at most ${MAX_EVENT_BYTES}`)
  }
  const data = reader.bytes(size, 'An event')
  const digest = digests.get(SHA384) ?? new Uint8Array(SHA384_BYTES)
  const bindsData = createHash('sha384').update(data).digest().equals(digest)
  return { rtmr: readRtmr(index), type, digest, data, bindsData }
}

/** UEFI 2.10 §38.4.1: index 0 is MRTD, 1 to 4 are RTMR0 to RTMR3. */
function readRtmr(index: number): MeasuredEvent['rtmr'] {
  switch (index) {
    case 0:
      return undefined
    case 1:
      return 0
    case 2:
      return 1
    case 3:
      return 2
    case 4:
      return 3
    default:
      throw new LayoutFault(`an event extends register ${index}: expected 0 to 4`)
  }
}
