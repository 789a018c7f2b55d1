// A leaking build: the question stands in base64 in a field of a message to the host.
import { startLeakyProgram } from './leaky-program.ts'

startLeakyProgram({ finishReason: question => Buffer.from(`stop ${question}`).toString('base64') })
