// A leaking build: the key that seals the answer reaches the host, which can open the frames with it.
import { ResponseKey } from '../../src/seal/index.ts'
import { startLeakyProgram } from './leaky-program.ts'

const take = Reflect.get(ResponseKey.prototype, 'takeForSealing')
let key = ''

ResponseKey.prototype.takeForSealing = function (this: ResponseKey) {
  const parts = take.call(this)
  key = Buffer.from(parts.key).toString('base64')
  return parts
}

startLeakyProgram({ finishReason: () => key })
