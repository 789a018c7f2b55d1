// A leaking build: the answer leaves the enclave unsealed.
import { startLeakyProgram } from './leaky-program.ts'

startLeakyProgram({ unsealed: true })
