// A leaking build: ten bytes of the question reach the host, in hex.
import { startLeakyProgram } from './leaky-program.ts'

startLeakyProgram({ finishReason: question => Buffer.from(question.slice(-30, -20)).toString('hex') })
