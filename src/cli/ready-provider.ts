import { CocoonError } from '../core/errors.ts'
import type { CliNode } from './node-port.ts'
import { safeLine } from './terminal-text.ts'

/** What `provide --json` says when it serves. */
export interface ReadyEvent {
  readonly [key: string]: string | number | readonly string[] | { readonly name: string; readonly digest: string }
  readonly event: 'ready'
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly model: { readonly name: string; readonly digest: string }
  readonly tier: string
  readonly backend: string
  readonly tokensPerSecond: number
  readonly slots: number
  readonly walletAddress: string
  readonly pid: number
  readonly enclavePid: number
}

/** The facts of a provider that was started. */
export function readyEvent({ peerId, mesh, wallet, provider, enclave }: CliNode, pid = process.pid): ReadyEvent {
  if (enclave === undefined || provider === undefined) {
    throw new CocoonError('internal', 'INTERNAL', 'A node of the provider role has no enclave')
  }
  const { model, backend, tokensPerSecond, slots } = enclave.info
  return {
    event: 'ready',
    peerId,
    addresses: mesh.addresses(),
    model: { name: model.name, digest: Buffer.from(model.digest).toString('hex') },
    tier: provider.tier,
    backend,
    tokensPerSecond: Math.round(tokensPerSecond * 10) / 10,
    slots,
    walletAddress: wallet.address,
    pid,
    enclavePid: enclave.info.pid
  }
}

/** The same for people. */
export function describeReady(ready: ReadyEvent): string {
  const rows: Array<[string, string]> = [
    ['provider', ready.peerId],
    ['model', `${safeLine(ready.model.name, 60)} (${ready.model.digest})`],
    ['speed', `${ready.tokensPerSecond} tokens/s on ${ready.backend}, ${ready.slots} slot(s)`],
    ['enclave', `${ready.tier}, process ${ready.enclavePid}`],
    ['wallet', ready.walletAddress],
    ...ready.addresses.map((address, index): [string, string] => [index === 0 ? 'address' : '', address])
  ]
  const lines = rows.map(([name, value]) => `${name.padEnd(9)}${value}`)
  return [...lines, ...(REAL_TIERS.includes(ready.tier) ? [] : SIMULATED_WARNING), 'Serving until Ctrl-C.'].join('\n')
}

/** Anything else is treated as what protects nothing. */
const REAL_TIERS = ['tdx+gpu', 'tdx', 'snp']

const SIMULATED_WARNING = [
  '',
  '!! SIMULATED ENCLAVE: NO CONFIDENTIALITY. This machine has no TEE in use, so whoever controls it can read',
  '!! every prompt and every answer. Clients outside a simnet refuse it unless they allow it on purpose.',
  ''
]
