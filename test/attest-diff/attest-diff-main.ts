import { commandOptions } from '../../simnet/command-options.ts'
import { type AttestationCase, attestationCases } from './attestation-cases.ts'
import { type Comparison, compare } from './compare.ts'
import { runFlips } from './flips.ts'
import { mutatedCase } from './mutated-case.ts'
import { isRefusal } from './our-verdict.ts'
import { measureSpeed } from './speed.ts'

const USAGE = 'npm run attest:diff -- [--mutations 2000] [--seed 1] [--flips [--case phala-tdx-v4]] [--speed]'

process.exitCode = main()

function main(): number {
  const { values, whole, refuse } = commandOptions(USAGE, {
    options: {
      mutations: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      flips: { type: 'boolean', default: false },
      speed: { type: 'boolean', default: false },
      case: { type: 'string', default: 'phala-tdx-v4' }
    }
  })
  const mutations = whole('mutations', 0)
  const seed = whole('seed', 0)
  const cases = attestationCases()
  if (cases === undefined) {
    return 3
  }
  if (values.flips || values.speed) {
    const given = cases.find(({ name }) => name === values.case)
    if (given === undefined) {
      return refuse(`There is no case ${values.case}: expected one of ${cases.map(({ name }) => name).join(', ')}`)
    }
    return values.speed ? speed(given) : flips(given)
  }
  return differential(cases, mutations, seed)
}

function speed(given: AttestationCase): number {
  const { fullMs, cachedMs, rawVerifyMs } = measureSpeed(given)
  console.log(
    `${given.name}: from nothing ${fullMs.toFixed(2)} ms, ${(fullMs / rawVerifyMs).toFixed(0)} raw P-256 checks`
  )
  console.log(`the same again ${(cachedMs * 1000).toFixed(1)} µs, 1/${(fullMs / cachedMs).toFixed(0)} of it`)
  return 0
}

function flips(given: Parameters<typeof runFlips>[0]): number {
  const startMs = Date.now()
  const reports = runFlips(given, {
    onSurface: ({ surface, flips: count, refused, survivors }) => {
      console.log(`${surface}: ${count} bits, ${count - survivors.length} refused`)
      for (const [code, times] of [...refused].toSorted(([, a], [, b]) => b - a)) {
        console.log(`${String(times).padStart(9)}  ${code}`)
      }
      if (survivors.length > 0) {
        console.log(`  ACCEPTED with byte.bit ${survivors.join(' ')}`)
      }
    }
  })
  const total = reports.reduce((sum, report) => sum + report.flips, 0)
  const accepted = reports.reduce((sum, report) => sum + report.survivors.length, 0)
  console.log(
    `\n${given.name}: ${total} single-bit flips in ${((Date.now() - startMs) / 1000).toFixed(0)} s, ${accepted} accepted`
  )
  return accepted === 0 ? 0 : 1
}

function differential(cases: Parameters<typeof mutatedCase>[0], mutations: number, seed: number): number {
  let wrong = 0
  const compared: Comparison[] = []
  console.log('Recorded and synthetic cases, ours and @phala/dcap-qvl 0.3.9:')
  for (const given of cases) {
    const result = compare({ name: given.name, piece: '', given })
    compared.push(result)
    const fits = result.ours === given.expected
    wrong += fits ? 0 : 1
    console.log(`  ${given.name}: ${result.ours}${fits ? '' : `, EXPECTED ${given.expected}`} | ${shown(result)}`)
  }
  for (let index = 0; index < mutations; index++) {
    compared.push(compare(mutatedCase(cases, seed, index)))
  }
  const disagreements = compared.filter(({ agree }) => !agree)
  console.log(
    `\n${compared.length} compared (${mutations} mutations, seed ${seed}), ${disagreements.length} disagreements:`
  )
  const groups = new Map<string, Comparison[]>()
  for (const disagreement of disagreements) {
    const group = `${disagreement.ours}: ${disagreement.reason ?? 'UNKNOWN'}`
    groups.set(group, [...(groups.get(group) ?? []), disagreement])
  }
  for (const [group, members] of [...groups].toSorted(([, a], [, b]) => b.length - a.length)) {
    console.log(`${String(members.length).padStart(9)}  ${group}`)
    for (const member of members.slice(0, members[0]?.reason === undefined ? 20 : 2)) {
      console.log(`             ${member.name}: ${shown(member)}`)
    }
  }
  const unknown = disagreements.filter(({ reason }) => reason === undefined).length
  const both = compared.filter(({ ours, theirs }) => isRefusal(ours) && !theirs.accepted).length
  console.log(`\n${both} refused by both, ${unknown} disagreements without a reason, ${wrong} unexpected results`)
  return unknown === 0 && wrong === 0 ? 0 : 1
}

function shown({ theirs }: Comparison): string {
  return `${theirs.accepted ? 'accepts' : 'refuses'}: ${theirs.text.slice(0, 100)}`
}
