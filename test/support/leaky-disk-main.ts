// A leaking build: the opened question is appended to a file in $HOME, which the test sets to the host's home folder.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { startLeakyProgram } from './leaky-program.ts'

startLeakyProgram({
  onQuestion: text => appendFileSync(join(process.env['HOME'] ?? '/nonexistent', 'debug.log'), `${text}\n`)
})
