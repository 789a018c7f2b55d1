import { multiaddr } from '@multiformats/multiaddr'
import { CocoonError, PeerError, UsageError } from '../core/errors.ts'
import { nanoTon } from '../core/nano-ton.ts'
import { decodeWire, requireBytes, requireField, requireText } from '../wire/check.ts'
import { CapacityRecord } from '../wire/generated/capacity.ts'
import { LIMITS } from '../wire/limits.ts'
import { WIRE_VERSION } from '../wire/protocols.ts'
import type { Capacity } from './capacity.ts'
import { type PeerIdentity, type PeerKeys, parsePeerId, peerIdFromBytes } from './peer-identity.ts'
import { openRecord, sealRecord, verifyRecord } from './signed-record.ts'

const NAME = 'Capacity record'
const DOMAIN = 'cocoon/cap/v1'
const UINT64_MAX = (1n << 64n) - 1n

/** How far a peer's clock may be off before its records are refused (M02). */
export const CLOCK_TOLERANCE_MS = 10 * 60_000

/** A record may not promise more than this: a lost key must not haunt the DHT. */
export const MAX_CAPACITY_LIFETIME_MS = 24 * 3_600_000

/**
 * The signed bytes of a record.
 *
 * @throws {UsageError} `CAPACITY_INVALID` if a peer would refuse it: too large, a missing digest, amounts past 64 bits
 */
export function encodeCapacity(identity: PeerIdentity, capacity: Capacity): Uint8Array {
  try {
    requireField(NAME, 'peerId', capacity.peerId === identity.id, `this node's own id, ${identity.id}`)
    const wire = toWire(capacity)
    fromWire(wire)
    const bytes = sealRecord(identity, DOMAIN, CapacityRecord.encode(wire))
    requireField(
      NAME,
      'size',
      bytes.byteLength <= LIMITS.capacityRecordBytes,
      `at most ${LIMITS.capacityRecordBytes} bytes, not ${bytes.byteLength}`
    )
    return bytes
  } catch (cause) {
    const reason = cause instanceof CocoonError ? cause.message : 'a field has the wrong type or range'
    throw new UsageError('CAPACITY_INVALID', `The capacity record cannot be published: ${reason}`, { cause })
  }
}

/**
 * Decodes and verifies a record: size, shape, signature, then meaning.
 *
 * @param expectedPeerId - the peer it must speak of; any peer if omitted
 * @throws {PeerError} `MESSAGE_TOO_LARGE`, `MESSAGE_MALFORMED`, `PEER_ID_INVALID`, `CAPACITY_PEER_MISMATCH`,
 *   `RECORD_SIGNATURE_INVALID`, `CAPACITY_EXPIRED`
 */
export function decodeCapacity(keys: PeerKeys, bytes: Uint8Array, nowMs: number, expectedPeerId?: string): Capacity {
  const record = openRecord(NAME, bytes, LIMITS.capacityRecordBytes)
  const wire = decodeWire(NAME, record.payload, LIMITS.capacityRecordBytes, b =>
    CapacityRecord.decode(b, { limits: { addresses: LIMITS.addresses, models: LIMITS.models, gpus: LIMITS.gpus } })
  )
  const peerId = peerIdFromBytes(wire.peerId).toString()
  if (expectedPeerId !== undefined && peerId !== expectedPeerId) {
    throw new PeerError('CAPACITY_PEER_MISMATCH', `${NAME} of ${peerId} stands where ${expectedPeerId}'s was expected`)
  }
  verifyRecord(keys, NAME, DOMAIN, peerId, record)
  const capacity = fromWire(wire)
  checkExpiry(capacity, nowMs)
  return capacity
}

/** @throws {PeerError} `CAPACITY_EXPIRED` past its expiry, clock tolerance included, or if it outlives the permitted maximum */
function checkExpiry(capacity: Capacity, nowMs: number): void {
  const { expiresAtMs, peerId } = capacity
  if (nowMs > expiresAtMs + CLOCK_TOLERANCE_MS || expiresAtMs > nowMs + MAX_CAPACITY_LIFETIME_MS + CLOCK_TOLERANCE_MS) {
    throw new PeerError(
      'CAPACITY_EXPIRED',
      `${NAME} of ${peerId} is not valid now: it expires ${new Date(expiresAtMs).toISOString()}`,
      {
        details: { peer: peerId, expiresAtMs }
      }
    )
  }
}

function toWire(capacity: Capacity): CapacityRecord {
  const { gpus, prices, payment } = capacity
  return {
    version: WIRE_VERSION,
    peerId: parsePeerId(capacity.peerId).toMultihash().bytes,
    addresses: capacity.addresses.map(address => multiaddr(address).bytes),
    models: capacity.models.map(model => ({
      ...model,
      contextTokens: uint32('contextTokens', model.contextTokens),
      tokensPerSecond: uint32('tokensPerSecond', model.tokensPerSecond)
    })),
    gpus: gpus.map(gpu => ({
      name: gpu.name,
      vramTotalBytes: BigInt(gpu.vramTotalBytes),
      vramFreeBytes: BigInt(gpu.vramFreeBytes)
    })),
    backend: capacity.backend,
    slotsTotal: uint32('slotsTotal', capacity.slotsTotal),
    slotsFree: uint32('slotsFree', capacity.slotsFree),
    promptPerMTokens: uint64('prices', prices.promptPerMTokens),
    cachedPromptPerMTokens: uint64('prices', prices.cachedPromptPerMTokens),
    completionPerMTokens: uint64('prices', prices.completionPerMTokens),
    tier: capacity.tier,
    statementDigest: capacity.statementDigest,
    payment: {
      ...payment,
      networks: payment.networks.map(int32),
      minimumDeposit: uint64('minimumDeposit', payment.minimumDeposit)
    },
    sequence: uint64('sequence', capacity.sequence),
    expiresAtMs: BigInt(capacity.expiresAtMs)
  }
}

function fromWire(wire: CapacityRecord): Capacity {
  const { payment } = wire
  requireField(NAME, 'version', wire.version === WIRE_VERSION, `${WIRE_VERSION}`)
  requireField(NAME, 'payment', payment !== undefined, 'present')
  requireField(NAME, 'slotsFree', wire.slotsFree <= wire.slotsTotal, 'at most slotsTotal')
  requireField(NAME, 'sequence', wire.sequence > 0n, 'above zero')
  requireField(NAME, 'addresses', wire.addresses.length <= LIMITS.addresses, `at most ${LIMITS.addresses}`)
  requireField(NAME, 'models', wire.models.length <= LIMITS.models, `at most ${LIMITS.models}`)
  requireField(NAME, 'gpus', wire.gpus.length <= LIMITS.gpus, `at most ${LIMITS.gpus}`)
  requireField(NAME, 'networks', payment.networks.length <= 8, 'at most 8')
  requireBytes(NAME, 'statementDigest', wire.statementDigest, LIMITS.digestBytes)
  requireBytes(NAME, 'payeeKey', payment.payeeKey, 32)
  return {
    peerId: peerIdFromBytes(wire.peerId).toString(),
    addresses: wire.addresses.map(readAddress),
    models: wire.models.map(model => {
      requireBytes(NAME, 'model digest', model.digest, LIMITS.digestBytes)
      return {
        ...model,
        name: line('model name', model.name, 128),
        quantization: line('quantization', model.quantization, 32)
      }
    }),
    gpus: wire.gpus.map(gpu => ({
      name: line('GPU name', gpu.name, 128),
      vramTotalBytes: safeNumber('vramTotalBytes', gpu.vramTotalBytes),
      vramFreeBytes: safeNumber('vramFreeBytes', gpu.vramFreeBytes)
    })),
    backend: line('backend', wire.backend, 32),
    slotsTotal: wire.slotsTotal,
    slotsFree: wire.slotsFree,
    prices: {
      promptPerMTokens: nanoTon(wire.promptPerMTokens),
      cachedPromptPerMTokens: nanoTon(wire.cachedPromptPerMTokens),
      completionPerMTokens: nanoTon(wire.completionPerMTokens)
    },
    tier: line('tier', wire.tier, 32),
    statementDigest: wire.statementDigest,
    payment: {
      payeeKey: payment.payeeKey,
      payeeAddress: line('payeeAddress', payment.payeeAddress, 128),
      minimumDeposit: nanoTon(payment.minimumDeposit),
      networks: payment.networks
    },
    sequence: wire.sequence,
    expiresAtMs: safeNumber('expiresAtMs', wire.expiresAtMs)
  }
}

function readAddress(bytes: Uint8Array): string {
  requireField(NAME, 'address', bytes.byteLength <= 256, 'at most 256 bytes')
  try {
    return multiaddr(bytes).toString()
  } catch (cause) {
    throw new PeerError('MESSAGE_MALFORMED', `${NAME}: an address is not a multiaddr`, { cause })
  }
}

/** Text that people see: one line, so that a name cannot drive a terminal. */
function line(field: string, value: string, maxLength: number): string {
  requireText(NAME, field, value, maxLength)
  requireField(NAME, field, !/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u.test(value), 'free of control characters')
  return value
}

function safeNumber(field: string, value: bigint): number {
  requireField(NAME, field, value <= BigInt(Number.MAX_SAFE_INTEGER), 'a safe integer')
  return Number(value)
}

function uint32(field: string, value: number): number {
  requireField(NAME, field, Number.isInteger(value) && value >= 0 && value < 2 ** 32, 'a whole number of 32 bits')
  return value
}

function int32(value: number): number {
  requireField(NAME, 'networks', (value | 0) === value, 'signed 32-bit numbers')
  return value
}

function uint64(field: string, value: bigint): bigint {
  requireField(NAME, field, value >= 0n && value <= UINT64_MAX, 'within 64 bits')
  return value
}
