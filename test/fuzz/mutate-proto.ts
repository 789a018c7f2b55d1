import { mutate } from './mutate.ts'
import { changed } from './mutate-fields.ts'
import type { FuzzRandom } from './random.ts'

/** A field of a Protocol Buffers message. */
interface Field {
  readonly number: number
  readonly wire: number
  /** Of the wire types 0; else what stands behind the tag, its length left out. */
  readonly value: number
  readonly bytes: Uint8Array
}

/** A message with one to three of its fields, or of the fields in them, dropped, repeated, renamed, changed or exchanged. */
export function mutateProto(random: FuzzRandom, corpus: readonly Uint8Array[]): Uint8Array {
  const message = random.pick(corpus)
  const fields = readFields(message)
  return fields === undefined ? mutate(random, corpus).bytes : writeFields(damaged(random, fields, corpus, 0))
}

function damaged(random: FuzzRandom, fields: readonly Field[], corpus: readonly Uint8Array[], depth: number): Field[] {
  const all = [...fields]
  for (let count = 1 + Math.floor(random.below(5) / 3); count > 0 && all.length > 0; count--) {
    const at = random.below(all.length)
    const field = all[at] as Field
    const inside = field.wire === 2 && depth < 4 ? readFields(field.bytes) : undefined
    if (inside !== undefined && inside.length > 0 && random.below(3) > 0) {
      all[at] = { ...field, bytes: writeFields(damaged(random, inside, corpus, depth + 1)) }
      continue
    }
    all.splice(at, 1, ...replaced(random, field, corpus))
  }
  return all
}

function replaced(random: FuzzRandom, field: Field, corpus: readonly Uint8Array[]): Field[] {
  switch (random.below(9)) {
    case 0:
      return []
    case 1:
      return [field, field]
    case 2:
      return Array.from({ length: 2 + random.below(30) }, () => field)
    case 3:
      return [{ ...field, number: 1 + random.below(20) }]
    case 4:
      return [{ ...field, wire: random.pick([0, 1, 2, 5]) }]
    case 5:
      return [field, ...(readFields(random.pick(corpus)) ?? []).slice(0, 1 + random.below(3))]
    case 6:
      return [
        { ...field, bytes: random.bytes(random.pick([0, 1, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 1_120])) }
      ]
    default:
      return [{ ...field, value: changed(random, field.value, 100), bytes: mutate(random, [field.bytes]).bytes }]
  }
}

function readFields(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at)
    const [wire, number] = [tag.value % 8, Math.floor(tag.value / 8)]
    const value = wire === 0 || wire === 2 ? readVarint(bytes, tag.next) : { value: 0, next: tag.next }
    const size = wire === 2 ? value.value : wire === 1 ? 8 : wire === 5 ? 4 : 0
    if (number === 0 || number > 40 || wire > 5 || wire === 3 || wire === 4 || value.next + size > bytes.length) {
      return undefined
    }
    fields.push({ number, wire, value: value.value, bytes: bytes.subarray(value.next, value.next + size) })
    at = value.next + size
  }
  return fields
}

function writeFields(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(({ number, wire, value, bytes }) => {
    const tag = varint(number * 8 + wire)
    const fixed = Buffer.alloc(wire === 1 ? 8 : 4)
    fixed.set(bytes.subarray(0, fixed.length))
    return wire === 0 ? [tag, varint(value)] : wire === 2 ? [tag, varint(bytes.length), bytes] : [tag, fixed]
  })
  return Uint8Array.from(Buffer.concat(parts))
}

function readVarint(bytes: Uint8Array, from: number): { value: number; next: number } {
  let value = 0
  for (let i = 0; i < 10; i++) {
    const byte = bytes[from + i]
    if (byte === undefined) {
      return { value: 0, next: bytes.length + 1 }
    }
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      return { value, next: from + i + 1 }
    }
  }
  return { value: 0, next: bytes.length + 1 }
}

/** Negative numbers as Protocol Buffers write them: ten bytes. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)))
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Uint8Array.from([...bytes, Number(rest)])
}
