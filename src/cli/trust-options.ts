import { resolve } from 'node:path'
import type { Command } from 'commander'
import { errorCode } from '../core/errors.ts'
import type { CommandContext } from './context.ts'
import { chooseHome } from './home.ts'

/** Which enclaves a check passes, as a user says it. */
export interface TrustOptions {
  policy?: string
  allowSimulated?: boolean
}

/** Adds `--policy` and `--allow-simulated`. */
export function withTrustOptions(command: Command): Command {
  return command
    .option('--policy <file>', 'policy file (default: what the home folder says)')
    .option('--allow-simulated', 'accept a simulated enclave (default: what the home folder says)')
}

/** What the options say, else the home folder; outside of one, the default policy and real enclaves only. */
export async function trustOf(
  context: Pick<CommandContext, 'homeOption' | 'io'>,
  { policy: file, allowSimulated }: TrustOptions
): Promise<{ policyFile?: string; allowSimulated: boolean }> {
  const { homeFolder, loadConfig } = await import('../config/index.ts')
  const named = file === undefined ? {} : { policyFile: resolve(file) }
  try {
    const home = await chooseHome({ option: context.homeOption, io: context.io, simnet: true })
    const { attestationPolicy, allowSimulated: configured } = (await loadConfig(homeFolder(home.path))).client
    return {
      ...(attestationPolicy === undefined ? {} : { policyFile: resolve(home.path, attestationPolicy) }),
      ...named,
      allowSimulated: allowSimulated ?? configured
    }
  } catch (err) {
    if (errorCode(err) !== 'HOME_MISSING') {
      throw err
    }
    return { ...named, allowSimulated: allowSimulated ?? false }
  }
}
