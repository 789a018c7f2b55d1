import { resolve } from 'node:path'
import type { Command } from 'commander'
import { systemClock } from '../../core/clock.ts'
import { packageInfo } from '../../core/package-info.ts'
import type { CommandContext } from '../context.ts'
import { newCommand } from '../new-command.ts'
import type { AcceptedEnclave, AttestationRules, EnclaveWords } from '../node-port.ts'
import { invalidValue, peerId } from '../option-values.ts'
import type { JsonObject } from '../output.ts'
import { safeLine } from '../terminal-text.ts'
import { type TrustOptions, trustOf, withTrustOptions } from '../trust-options.ts'
import { withClient } from '../with-node.ts'

/** `cocoon-node attest` */
export function attestCommand(context: CommandContext): Command {
  return newCommand('attest', {
    summary: 'What runs behind a provider, and what that is worth: show, verify, policy, bundle',
    examples: [
      ['cocoon-node attest show 12D3KooW…', 'ask a provider now'],
      ['cocoon-node attest verify ./attestation.json', 'a saved one, offline'],
      ['cocoon-node attest policy', 'which enclaves this node trusts'],
      ['cocoon-node attest bundle', 'the enclave program of this package']
    ]
  })
    .addCommand(
      newCommand('show', {
        summary: 'Ask a provider for its attestation, and judge it',
        description: 'Its evidence has to bind a challenge that is made for this question.',
        examples: [
          ['cocoon-node attest show 12D3KooW…', 'in plain words'],
          ['cocoon-node attest show 12D3KooW… --save attestation.json', 'keep it, to judge it again offline']
        ]
      })
        .argument('<peer>', 'peer id, as "cocoon-node providers" lists it', peerId('<peer>'))
        .option('--save <file>', 'keep what it shows as a new file')
        .action((peer: string, options: { save?: string }) => show(context, peer, options))
    )
    .addCommand(
      withTrustOptions(
        newCommand('verify', {
          summary: 'Judge a saved attestation offline',
          description: 'Everything is checked but whether the block it names was the chain’s.',
          examples: [['cocoon-node attest verify attestation.json --policy policy.json', 'by a policy of your own']]
        })
          .argument('<file>', 'as "attest show --save" wrote it')
          .option(
            '--at <time>',
            'judge as of this time, like 2026-11-22T12:00:00Z (default: when the file says it was fetched)',
            timeOf
          )
      ).action((file: string, options: TrustOptions & { at?: number }) => verify(context, file, options))
    )
    .addCommand(
      withTrustOptions(
        newCommand('policy', {
          summary: 'Which enclaves this node trusts',
          examples: [
            ['cocoon-node attest policy', 'as its configuration says'],
            ['cocoon-node attest policy --policy policy.json', 'check a file'],
            ['cocoon-node attest policy --schema', 'JSON Schema of such files']
          ]
        }).option('--schema', 'print the JSON Schema of policy files')
      ).action((options: TrustOptions & { schema?: boolean }) => policy(context, options))
    )
    .addCommand(
      newCommand('bundle', {
        summary: 'What the enclave program of this package is made of',
        description:
          'Its digest stands in statements and policies. The same commit gives the same digest wherever it is built:\n' +
          '"npm run bundle" in a checkout builds it twice and compares.',
        examples: [
          ['cocoon-node attest bundle', 'its digest and its files'],
          ['cocoon-node attest bundle --listing | sha256sum', 'the same digest, by another program']
        ]
      })
        .option('--listing', 'print only the text that the digest is the SHA-256 of')
        .action((options: { listing?: boolean }) => bundle(context, options))
    )
}

async function show(context: CommandContext, peer: string, { save }: { save?: string }): Promise<void> {
  const { output, signal } = context
  const { saveAttestation } = await context.loadNode()
  const shown = await withClient(
    context,
    config => config,
    client => client.attestation(peer, { signal })
  )
  if (save !== undefined) {
    await saveAttestation(resolve(save), shown.stored)
    output.note(`Saved as ${save}`)
  }
  if ('refusal' in shown) {
    throw shown.refusal
  }
  await tell(context, shown.enclave)
}

async function verify(context: CommandContext, file: string, options: TrustOptions & { at?: number }): Promise<void> {
  const { judgeAttestationFile } = await context.loadNode()
  const trust = await trustOf(context, options)
  const { at } = options
  const enclave = await judgeAttestationFile(resolve(file), { ...trust, ...(at === undefined ? {} : { nowMs: at }) })
  await tell(context, enclave)
  const { expiresAtMs } = enclave
  if (expiresAtMs <= systemClock.nowMs()) {
    const when = at === undefined ? 'when the file says that it was fetched' : new Date(at).toISOString()
    context.output.note(
      `Judged as of ${when}. It ended at ${new Date(expiresAtMs).toISOString()}: of what runs there now it says nothing.`
    )
  }
}

async function policy(context: CommandContext, options: TrustOptions & { schema?: boolean }): Promise<void> {
  if (options.schema === true) {
    const { attestationPolicyJsonSchema } = await import('../../config/index.ts')
    context.io.stdout.write(`${JSON.stringify(attestationPolicyJsonSchema(), null, 2)}\n`)
    return
  }
  const { loadAttestationPolicy } = await context.loadNode()
  const { policyFile, allowSimulated } = await trustOf(context, options)
  const rules = await loadAttestationPolicy({ file: policyFile, homePath: '', allowSimulated })
  context.output.result({ file: policyFile ?? null, ...(rules as object as JsonObject) }, () =>
    renderPolicy(rules, policyFile)
  )
}

async function bundle(context: CommandContext, options: { listing?: boolean }): Promise<void> {
  const { enclaveBundle } = await context.loadNode()
  const parts = enclaveBundle()
  const { listing, files, packages } = parts
  if (options.listing === true) {
    context.io.stdout.write(listing)
    return
  }
  const digest = Buffer.from(parts.digest).toString('hex')
  const { version } = packageInfo()
  context.output.result({ digest, version, files, packages } as object as JsonObject, () =>
    [
      `Enclave program ${digest}\n`,
      `cocoon-node ${version}, ${files.length} files of its own and ${packages.length} packages it may load\n\n`,
      ...files.map(({ path, sha256 }) => `${sha256}  ${path}\n`),
      '\n',
      ...packages.map(({ name, version: locked, integrity }) => `${name} ${locked}  ${integrity}\n`)
    ].join('')
  )
}

async function tell(context: CommandContext, enclave: AcceptedEnclave): Promise<void> {
  const { describeEnclave } = await context.loadNode()
  const words = describeEnclave(enclave)
  const { statement, tier, expiresAtMs, image } = enclave
  const { peerId, modelDigests, software } = statement
  const result = {
    peer: peerId,
    accepted: true,
    tier,
    image: image?.name,
    modelDigests,
    software,
    expiresAtMs,
    ...words
  }
  context.output.result(result, () => renderWords(peerId, tier, words))
}

function renderWords(peerId: string, tier: string, { runs, can, cannot }: EnclaveWords): string {
  const list = (lines: readonly string[]): string => lines.map(line => `  - ${safeLine(line)}\n`).join('')
  return [
    `ACCEPTED, tier ${tier}. Provider ${safeLine(peerId)} runs\n${list(runs)}`,
    `Its owner can\n${list(can)}`,
    cannot.length === 0
      ? 'A simulated enclave keeps its owner from nothing.\n'
      : `As far as this evidence goes, its owner cannot\n${list(cannot)}`
  ].join('\n')
}

function renderPolicy(rules: AttestationRules, file: string | undefined): string {
  const { acceptedTiers, images, tdx, snp, deny, maxStatementAgeMs } = rules
  const real = acceptedTiers.filter(tier => tier !== 'simulated')
  const imageLines = images.map(
    ({ tier, name, bundleDigest }) => `  - ${tier} ${safeLine(name)}, program ${bundleDigest}\n`
  )
  const denied = deny.bundleDigests.length + deny.peerIds.length + deny.fmspcs.length
  return [
    `Policy: ${file === undefined ? 'the default, no file' : safeLine(file)}\n`,
    `Tiers: ${acceptedTiers.length === 0 ? 'none: every enclave is refused' : acceptedTiers.join(', ')}\n`,
    ...(acceptedTiers.includes('simulated')
      ? ['Simulated enclaves are accepted: their owners can read everything.\n']
      : []),
    images.length > 0
      ? `Images:\n${imageLines.join('')}`
      : real.length > 0
        ? 'Images: none, so every real enclave is refused. List the ones you trust in a policy file.\n'
        : 'Images: none\n',
    `Intel platforms: ${tdx.acceptedTcbStatuses.join(', ') || 'none'}\n`,
    `AMD processors: ${Object.keys(snp.minimumTcb).join(', ') || 'none'}\n`,
    `Statements: at most ${maxStatementAgeMs / 60_000} minutes old\n`,
    `Denied by name: ${denied}\n`
  ].join('')
}

function timeOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) {
    throw invalidValue('--at', text, 'a time in UTC, like 2026-11-22T12:00:00Z')
  }
  return ms
}
