import { HostileStream } from '../hostile-stream.ts'
import { mutate } from '../mutate.ts'
import type { FuzzRandom } from '../random.ts'

/** Messages on a stream: mostly as they were, some damaged, now and then under a length that lies; cut in any way. */
export function hostileStream(
  random: FuzzRandom,
  messages: readonly Uint8Array[],
  maxFrameBytes: number
): HostileStream {
  const parts = messages.flatMap(message => {
    const bytes = random.below(12) === 0 ? mutate(random, messages).bytes : message
    return [lengthPrefix(random.below(60) === 0 ? random.below(2 ** 28) : bytes.byteLength), bytes]
  })
  const all = Buffer.concat(parts)
  const whole = random.below(8) === 0 ? all.subarray(0, random.below(all.byteLength + 1)) : all
  const chunks: Uint8Array[] = []
  for (let at = 0; at < whole.byteLength; ) {
    const size = 1 + random.below(random.pick([30, 700, 9_000]))
    chunks.push(Uint8Array.from(whole.subarray(at, at + size)))
    at += size
  }
  return new HostileStream(chunks, maxFrameBytes)
}

/** Unsigned LEB128. */
export function lengthPrefix(length: number): Uint8Array {
  const bytes: number[] = []
  let rest = length
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return Uint8Array.from([...bytes, rest])
}
