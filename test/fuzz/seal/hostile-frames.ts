import { cut, HostileStream, lengthPrefix } from '../hostile-stream.ts'
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
  return new HostileStream(cut(random, whole, [30, 700, 9_000]), maxFrameBytes)
}
