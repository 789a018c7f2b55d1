import assert from 'node:assert/strict'
import { readCollateral } from '../../../src/attest/tdx/collateral.ts'
import { readEnclaveReport } from '../../../src/attest/tdx/enclave-report.ts'
import { parseEventLog, replayEventLog, trimEventLog, verifyEventLog } from '../../../src/attest/tdx/event-log.ts'
import { matchQe, readQeIdentity } from '../../../src/attest/tdx/qe-identity.ts'
import { parseQuote } from '../../../src/attest/tdx/quote.ts'
import { quotePlatform } from '../../../src/attest/tdx/quote-platform.ts'
import { readTcbInfo } from '../../../src/attest/tdx/tcb-info.ts'
import { convergeLevels, matchTcbLevel, matchTdxModule } from '../../../src/attest/tdx/tcb-level.ts'
import { tdReportOf } from '../../../src/attest/tdx/td-report.ts'
import { TdxVerifier } from '../../../src/attest/tdx/verifier.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { mutateLayout } from '../mutate-fields.ts'
import { mutateJson } from '../mutate-json.ts'
import type { Surface } from '../surface.ts'
import { changedString, collateralString } from './collateral-strings.ts'
import { type SoundQuote, signedParts, type TdxSeeds } from './tdx-seeds.ts'

/** Quotes, Intel's collateral and the documents in it, event logs. */
export function tdxSurfaces(seeds: TdxSeeds): Surface[] {
  const remembering = new TdxVerifier(64)
  const layouts = new Map(seeds.quotes.map(layout => [layout.bytes, layout]))
  const verify = (verifier: TdxVerifier, input: SoundQuote): { signedBodyDigest: Uint8Array } =>
    input.kind === 'sgx' ? verifier.verifySgx(input) : verifier.verifyTdx(input)
  // What it remembers must not depend on the inputs before: any one must be found again by its number.
  for (const sound of seeds.sound) {
    verify(remembering, sound)
  }
  const platforms = seeds.sound.map(({ quote }) => ({ quote: parseQuote(quote), platform: quotePlatform(quote) }))
  const logs = seeds.eventLogs.map(({ bytes }) => replayEventLog(parseEventLog(bytes)).map(toHex).join())
  return [
    {
      name: 'quote',
      weight: 150,
      feed: random => {
        const bytes = mutateLayout(random, seeds.quotes)
        const { signedBytes } = parseQuote(bytes)
        assert.ok(signedBytes.length >= 432)
        return random.below(6) === 0 ? `of ${quotePlatform(bytes).ca}` : 'read'
      }
    },
    {
      name: 'verify-quote',
      weight: 40,
      feed: random => {
        const sound = random.pick(seeds.sound)
        const layout = layouts.get(sound.quote)
        assert.ok(layout)
        const quote = mutateLayout(random, [layout])
        const input = random.below(40) === 0 ? { ...random.pick(seeds.sound), quote } : { ...sound, quote }
        const verified = verify(random.below(3) === 0 ? new TdxVerifier(1) : remembering, input)
        assert.ok(seeds.genuine.has(toHex(verified.signedBodyDigest)), 'a changed quote holds')
        return 'held'
      }
    },
    {
      name: 'collateral',
      weight: 70,
      feed: random => {
        const value = jsonOf(mutateJson(random, seeds.collaterals, changedString))
        const collateral = readCollateral(value)
        assert.equal(readCollateral(collateral), collateral)
        return 'read'
      }
    },
    {
      name: 'verify-collateral',
      weight: 12,
      feed: random => {
        const sound = random.pick(seeds.sound)
        const genuine: Readonly<Record<string, string>> = { ...sound.collateral }
        const fields = { ...genuine }
        for (let count = 1 + Math.floor(random.below(5) / 4); count > 0; count--) {
          const name = random.pick(Object.keys(fields))
          fields[name] = collateralString(random, name, genuine[name] ?? '', random.pick(seeds.sound).collateral)
        }
        const collateral = readCollateral(fields)
        verify(random.below(3) === 0 ? new TdxVerifier(1) : remembering, { ...sound, collateral })
        for (const part of signedParts(collateral)) {
          assert.ok(seeds.genuineParts.has(part), `changed collateral holds: ${part.slice(0, 20)}`)
        }
        return 'held'
      }
    },
    {
      name: 'tcb-info',
      weight: 60,
      feed: random => {
        const info = readTcbInfo(text(mutateJson(random, seeds.tcbInfos)))
        const { quote, platform } = random.pick(platforms)
        const td = tdReportOf(quote)
        const module = td === undefined ? undefined : matchTdxModule(info, td)
        const level = matchTcbLevel(info, platform, td)
        return convergeLevels(level, module === undefined ? [] : [module]).status
      }
    },
    {
      name: 'qe-identity',
      weight: 40,
      feed: random => {
        const identity = readQeIdentity(text(mutateJson(random, seeds.qeIdentities)))
        return `isvsvn ${matchQe(identity, readEnclaveReport(random.pick(platforms).quote.qeReport)).tcb.isvsvn}`
      }
    },
    {
      name: 'event-log',
      weight: 60,
      feed: random => {
        const log = mutateLayout(random, seeds.eventLogs)
        const events = parseEventLog(log)
        assert.equal(parseEventLog(trimEventLog(log)).length, events.length, 'a trimmed log has other events')
        const at = random.below(logs.length)
        const rtmrs = replayEventLog(parseEventLog(seeds.eventLogs[at]?.bytes ?? log))
        verifyEventLog(log, { rtmrs: rtmrs as unknown as Parameters<typeof verifyEventLog>[1]['rtmrs'] })
        assert.equal(replayEventLog(events).map(toHex).join(), logs[at], 'a changed log holds')
        return 'held'
      }
    }
  ]
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text(bytes))
  } catch {
    return undefined
  }
}
