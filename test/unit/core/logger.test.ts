import assert from 'node:assert/strict'
import { lineLogger, silentLogger } from '../../../src/core/logger.ts'

describe('line logger', () => {
  it('writes time, level, scope, message and fields, one line a record', () => {
    const lines: string[] = []
    const logger = lineLogger(
      'cocoon',
      'debug',
      line => lines.push(line),
      () => 0
    )
    logger.child('mesh').warn('late', { peer: 'p', ms: 5n, gone: undefined })
    assert.deepEqual(lines, ['1970-01-01T00:00:00.000Z warn cocoon:mesh late peer=p ms=5\n'])
  })

  it('leaves out what is below its level, in children too', () => {
    const lines: string[] = []
    const logger = lineLogger(
      'c',
      'warn',
      line => lines.push(line),
      () => 0
    )
    for (const one of [logger, logger.child('x')]) {
      one.debug('no')
      one.info('no')
      one.warn('yes')
      one.error('yes')
    }
    assert.equal(lines.length, 4)
    silentLogger.error('nobody hears this')
  })
})
