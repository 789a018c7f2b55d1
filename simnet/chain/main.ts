import { parseArgs } from 'node:util'
import { CocoonError, errorMessage, UsageError } from '../../src/core/errors.ts'
import { lineLogger } from '../../src/core/logger.ts'
import { ChainServer } from './chain-server.ts'

// node main.js --port <n> --state <file> [--block-time-ms <n>] [--with-parent]
// Prints one line of JSON with its URL once it answers; ends on SIGTERM, SIGINT, or with its parent.

try {
  await main()
} catch (err) {
  process.stderr.write(
    `${err instanceof CocoonError ? `${err.code}: ${err.message}` : `Cannot start: ${errorMessage(err)}`}\n`
  )
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      state: { type: 'string' },
      'block-time-ms': { type: 'string' },
      'with-parent': { type: 'boolean', default: false }
    }
  })
  const logger = lineLogger('cocoon:simnet:chain', 'warn', line => process.stderr.write(line), Date.now)
  const server = new ChainServer(
    { logger },
    {
      port: readNumber('--port', values.port),
      ...(values.state === undefined ? {} : { stateFile: values.state }),
      ...(values['block-time-ms'] === undefined
        ? {}
        : { blockTimeMs: readNumber('--block-time-ms', values['block-time-ms']) })
    }
  )
  await server.start()
  let stopping: Promise<void> | undefined
  const stop = (): void => {
    // Once only: a parent that ends sends a signal and closes stdin.
    stopping ??= server.stop().then(
      () => process.exit(0),
      (err: unknown) => {
        process.stderr.write(`The chain was not saved: ${errorMessage(err)}\n`)
        process.exit(1)
      }
    )
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  if (values['with-parent']) {
    process.stdin.on('end', stop).on('close', stop).resume()
  }
  process.stdout.write(
    `${JSON.stringify({ url: server.url, endpoint: server.endpoint, port: server.port, pid: process.pid })}\n`
  )
}

function readNumber(name: string, text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new UsageError('ARGUMENT_INVALID', `${name} ${text}: expected a number from 0 to 65535`)
  }
  return Number(text)
}
