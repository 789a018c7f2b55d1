// A leaking build: the question goes to the console, which a host could log.
import { startLeakyProgram } from './leaky-program.ts'

startLeakyProgram({ onQuestion: text => process.stderr.write(`asked: ${text}\n`) })
