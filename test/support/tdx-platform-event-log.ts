import { createHash } from 'node:crypto'
import { parseEventLog, replayEventLog } from '../../src/attest/tdx/event-log.ts'
import type { TestImage } from './tdx-platform.ts'

const SHA384 = 0x0c
const EV_NO_ACTION = 3
const EV_SEPARATOR = 4

/** An event log as firmware writes it, in the memory it reserved, and the registers it leads to. */
export function testEventLog(
  events: ReadonlyArray<{ rtmr: 0 | 1 | 2 | 3; data: string }>,
  reservedBytes = 4096
): { log: Uint8Array; sizeBytes: number; rtmrs: TestImage['rtmrs'] } {
  const written = Buffer.concat([headerEvent(), ...events.map(event)])
  const log = Buffer.alloc(Math.max(reservedBytes, written.length), 0xff)
  written.copy(log)
  const rtmrs = replayEventLog(parseEventLog(written)) as unknown as TestImage['rtmrs']
  return { log: new Uint8Array(log), sizeBytes: written.length, rtmrs }
}

function headerEvent(): Buffer {
  const specId = Buffer.concat([
    Buffer.from('Spec ID Event03\0'),
    u32(0),
    Buffer.from([0, 2, 0, 2]),
    u32(1),
    u16(SHA384),
    u16(48),
    Buffer.from([0])
  ])
  return Buffer.concat([u32(1), u32(EV_NO_ACTION), Buffer.alloc(20), u32(specId.length), specId])
}

function event({ rtmr, data }: { rtmr: number; data: string }): Buffer {
  const bytes = Buffer.from(data)
  const digest = createHash('sha384').update(bytes).digest()
  return Buffer.concat([u32(rtmr + 1), u32(EV_SEPARATOR), u32(1), u16(SHA384), digest, u32(bytes.length), bytes])
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
