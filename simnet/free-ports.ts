import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { EnvironmentError } from '../src/core/errors.ts'

/** Below the ports that systems hand out to outgoing connections, so that none takes one in the meantime. */
const LOWEST = 20_000
const HIGHEST = 32_000
const ATTEMPTS = 200

/**
 * Distinct TCP ports of 127.0.0.1 that nobody listens on now. Providers that start side by side must know each other's
 * ports before they have them.
 *
 * @throws {EnvironmentError} `SIMNET_NO_PORT`
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  for (let attempt = 0; attempt < ATTEMPTS + count && found.size < count; attempt++) {
    const port = randomInt(LOWEST, HIGHEST)
    if (await isFree(port)) {
      found.add(port)
    }
  }
  if (found.size < count) {
    throw new EnvironmentError(
      'SIMNET_NO_PORT',
      `No ${count} free ports between ${LOWEST} and ${HIGHEST} on 127.0.0.1: end some programs that listen`
    )
  }
  return [...found]
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
