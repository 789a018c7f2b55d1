import type * as setting from '../config/setting.ts'
import { UsageError } from '../core/errors.ts'
import { safeLine } from './terminal-text.ts'

/** Which of the configuration's kinds of addresses an option takes. */
export type AddressKind = keyof Pick<typeof setting, 'listenAddress' | 'peerAddress'>

/**
 * Checks addresses of an option by the rules of the configuration, whose reader is loaded only now.
 *
 * @throws {UsageError} `MULTIADDR_INVALID`
 */
export async function checkAddresses(name: string, kind: AddressKind, addresses: readonly string[]): Promise<void> {
  const settings = await import('../config/setting.ts')
  for (const address of addresses) {
    const checked = settings[kind].safeParse(address)
    if (!checked.success) {
      const expected = checked.error.issues[0]?.message ?? 'a multiaddr'
      throw new UsageError('MULTIADDR_INVALID', `${name} is "${safeLine(address, 80)}": expected ${expected}`)
    }
  }
}
