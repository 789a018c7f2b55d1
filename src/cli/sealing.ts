import type { Command } from 'commander'
import type { Config } from '../config/index.ts'
import type { CliNode } from './node-port.ts'
import { oneOf } from './option-values.ts'

/** How answers travel, and what requests are sealed with. */
export type Sealing = Pick<Config['client'], 'privacy' | 'suite'>

const PRIVACY_MODES: ReadonlyArray<Sealing['privacy']> = ['standard', 'strict']
const SUITES: ReadonlyArray<Sealing['suite']> = ['x25519', 'xwing']

/** Adds `--privacy` and `--suite`. */
export function withSealingOptions(command: Command): Command {
  return command
    .option(
      '--privacy <mode>',
      'standard: the length of a word does not show, when words come and how many does. strict: neither does, but to ' +
        'the provider: one frame every 0.1 s until the longest answer would be over, which is slower and more bytes; keep ' +
        'the token limit near what is needed. Paid by the token in both (default: client.privacy of config.json)',
      oneOf('--privacy', PRIVACY_MODES)
    )
    .option(
      '--suite <suite>',
      'x25519, or xwing, which adds ML-KEM-768: who records it today cannot open it with a quantum computer later. ' +
        'Requests are larger, and go only to providers that offer it (default: client.suite of config.json)',
      oneOf('--suite', SUITES)
    )
}

/** What a client's node seals with, once the options are applied. */
export function sealingOf({ config }: Pick<CliNode, 'config'>): Sealing {
  const { privacy, suite } = config.client
  return { privacy, suite }
}

/** The same in words. */
export function sealingText({ privacy, suite }: Sealing): string {
  return `privacy ${privacy}, suite ${suite}`
}

/** Reads what an earlier run noted; undefined if it is no such thing. */
export function parseSealing(privacy: unknown, suite: unknown): Sealing | undefined {
  const mode = PRIVACY_MODES.find(known => known === privacy)
  const kem = SUITES.find(known => known === suite)
  return mode === undefined || kem === undefined ? undefined : { privacy: mode, suite: kem }
}
