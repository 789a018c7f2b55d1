// node policy-entry.js <attestation.json> <name>
// What a guest was measured as, as an entry for "images" of a policy file. It believes the evidence: only its form is
// checked here. Give it the attestation of a guest that you started yourself, on a machine that you trust, or compare
// every value with a prediction.
import { readFileSync } from 'node:fs'

const attest = new URL('../../dist/src/attest/', import.meta.url)
const load = path => import(new URL(path, attest).href)
const [{ decodeStoredAttestation }, { decodeStatement }, evidence, { parseQuote }, { tdReportOf }, { parseSnpReport }] =
  await Promise.all(
    ['attestation-file.js', 'statement.js', 'evidence.js', 'tdx/quote.js', 'tdx/td-report.js', 'snp/report.js'].map(
      load
    )
  )

const [file, name] = process.argv.slice(2)
if (file === undefined || name === undefined) {
  console.error('node policy-entry.js <attestation.json> <name>')
  process.exit(2)
}
const stored = decodeStoredAttestation(readFileSync(file, 'utf8'))
const { bundleDigest } = decodeStatement(stored.statement).software
const hex = bytes => Buffer.from(bytes).toString('hex')
const type = evidence.evidenceType(stored.evidence)
let measured
if (type === 'snp') {
  const report = parseSnpReport(Buffer.from(evidence.decodeSnpEvidence(stored.evidence).report, 'base64'))
  measured = { tier: 'snp', name, measurement: hex(report.measurement) }
} else if (type === 'tdx' || type === 'tdx+gpu') {
  const { quote } =
    type === 'tdx' ? evidence.decodeTdxEvidence(stored.evidence) : evidence.decodeTdxGpuEvidence(stored.evidence).cpu
  const { mrTd, rtmrs } = tdReportOf(parseQuote(Buffer.from(quote, 'base64')))
  const [rtmr0, rtmr1, rtmr2, rtmr3] = rtmrs.map(hex)
  measured = { tier: 'tdx', name, mrTd: hex(mrTd), rtmr0, rtmr1, rtmr2, rtmr3 }
} else {
  console.error(`${file} holds evidence of the type ${type}: nothing was measured`)
  process.exit(1)
}
console.log(JSON.stringify({ ...measured, bundleDigest }, null, 2))
