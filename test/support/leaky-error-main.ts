// A leaking build: an error names what was asked.
import { UsageError } from '../../src/core/errors.ts'
import { startLeakyProgram } from './leaky-program.ts'

const SELF_TEST = 'Tell me a story about a fox.'

startLeakyProgram({
  onQuestion: text => {
    if (text !== SELF_TEST) {
      throw new UsageError('PROMPT_INVALID', `This is no prompt: ${text}`)
    }
  }
})
