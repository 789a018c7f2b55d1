import assert from 'node:assert/strict'
import { appraiseSnpReport } from '../../../src/attest/snp/appraise.ts'
import { parseCertificateTable } from '../../../src/attest/snp/certificate-table.ts'
import { readEndorsement } from '../../../src/attest/snp/endorsement.ts'
import type { SnpPolicy } from '../../../src/attest/snp/policy.ts'
import { SNP_PRODUCTS } from '../../../src/attest/snp/product.ts'
import { parseSnpReport } from '../../../src/attest/snp/report.ts'
import { type SignedSnpReportInput, verifySignedSnpReport } from '../../../src/attest/snp/signed-report.ts'
import { ANY_TCB } from '../../../src/attest/snp/tcb.ts'
import { verifySnpReport } from '../../../src/attest/snp/verify.ts'
import { parseCertificate } from '../../../src/attest/x509/certificate.ts'
import { parseCrl } from '../../../src/attest/x509/crl.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { MADE_SERIALS, MADE_SNP_NOW_MS, MadeSnpPlatform } from '../../unit/attest/snp/made-snp-platform.ts'
import { MILAN_POLICY, snpVectors } from '../../unit/attest/snp/vectors.ts'
import { mutateDer, readDerDocument } from '../mutate-der.ts'
import { type LaidOut, mutateLayout } from '../mutate-fields.ts'
import type { FuzzRandom } from '../random.ts'
import { SeededKey } from '../seeded-key.ts'
import type { Surface } from '../surface.ts'

/** Version, algorithm, policy, flags, signer, VMPL, the four TCBs, CPUID. */
const NUMBERS = [
  [0, 4],
  [8, 4],
  [12, 4],
  [0x30, 4],
  [0x34, 4],
  [0x38, 8],
  [0x40, 4],
  [0x44, 4],
  [0x48, 4],
  [0x4c, 4],
  [0x180, 8],
  [0x188, 1],
  [0x189, 1],
  [0x1e0, 8],
  [0x1f0, 8]
] as const

/** Reports, endorsements, certificate tables and revocation lists of SEV-SNP. */
export function snpSurfaces(): Surface[] {
  return [...recordedSurfaces(), revocationSurface()]
}

/** Of the recorded ones, or none where they are not at hand. */
function recordedSurfaces(): Surface[] {
  const vectors = snpVectors()
  if (vectors === undefined) {
    return []
  }
  const { coco, virtee, azure, vlek, debug } = vectors
  const sound: readonly SignedSnpReportInput[] = [coco, virtee, azure, vlek]
  const layout = (bytes: Uint8Array): LaidOut => ({ bytes, numbers: NUMBERS })
  const reports = [...sound, debug].map(({ report }) => layout(report))
  const genuine = new Set(sound.map(input => toHex(verifySignedSnpReport(input).guest.signedBodyDigest)))
  const leaves = [...[...sound, debug].map(({ certificates }) => certificates.leaf), vectors.turinLeaf].map(
    readDerDocument
  )
  const endorsement = readEndorsement(parseCertificate(coco.certificates.leaf), 'milan', 'vcek')
  const tables = [certificateTable(coco.certificates), certificateTable(vlek.certificates)]
  return [
    {
      name: 'snp-report',
      weight: 90,
      feed: random => {
        const report = parseSnpReport(mutateLayout(random, reports))
        const anyProduct = random.below(4) === 0
        const product = anyProduct ? random.pick(SNP_PRODUCTS) : 'milan'
        // The signature is not asked here, or nothing would be judged after it.
        const policy = anyPolicy(random)
        const tcbs = appraiseSnpReport(
          report,
          product,
          random.below(2) === 0 ? endorsement : { ...endorsement, chipId: undefined },
          policy
        )
        assert.ok(!report.policy.debugAllowed && policy.vmpls.includes(report.vmpl), 'an open guest is accepted')
        return `read ${tcbs.reported.microcode > 0 ? 'newer' : 'old'}`
      }
    },
    {
      name: 'verify-snp',
      weight: 10,
      feed: random => {
        const input = random.pick(sound)
        const { certificates } = input
        const part = random.pick(['report', 'report', 'leaf', 'ask', 'ark', 'other'] as const)
        const changed: SignedSnpReportInput =
          part === 'report'
            ? { ...input, report: mutateLayout(random, [layout(input.report)]) }
            : part === 'other'
              ? {
                  ...input,
                  certificates: {
                    ...certificates,
                    [random.pick(['leaf', 'ask', 'ark'])]: random.pick(Object.values(random.pick(sound).certificates))
                  }
                }
              : {
                  ...input,
                  certificates: { ...certificates, [part]: mutateDer(random, [readDerDocument(certificates[part])]) }
                }
        const { guest } = verifySignedSnpReport(changed)
        assert.ok(genuine.has(toHex(guest.signedBodyDigest)), 'a changed report holds')
        return 'held'
      }
    },
    {
      name: 'snp-endorsement',
      weight: 25,
      feed: random => {
        const leaf = parseCertificate(mutateDer(random, leaves))
        const read = readEndorsement(
          leaf,
          random.below(3) === 0 ? random.pick(SNP_PRODUCTS) : 'milan',
          random.below(4) === 0 ? 'vlek' : 'vcek'
        )
        return read.chipId === undefined ? 'vlek' : 'vcek'
      }
    },
    {
      name: 'certificate-table',
      weight: 50,
      feed: random => {
        const table = mutateLayout(random, tables)
        const found = parseCertificateTable(table)
        for (const certificate of found.values()) {
          assert.ok(Buffer.from(table).includes(Buffer.from(certificate)), 'a table holds what it does not hold')
        }
        return `read ${found.size}`
      }
    }
  ]
}

/**
 * The whole of a made platform with a revocation list that was damaged, or made anew with at most a few faults and signed
 * for real: it must hold if and only if the list is the root's, in force and names nobody of the chain.
 */
function revocationSurface(): Surface {
  const [arkKey, askKey] = [new SeededKey('fuzz ark'), new SeededKey('fuzz ask')]
  const platform = new MadeSnpPlatform({ keys: { ark: arkKey, ask: askKey } })
  const input = platform.input()
  const plain = arkKey.resigned(platform.crl())
  const lists = [plain, arkKey.resigned(platform.crl({ revoked: [1, MADE_SERIALS.ask - 1] }))].map(readDerDocument)
  const genuine = new Set(lists.map(({ nodes }) => toHex(nodes[0]?.children[0]?.raw ?? new Uint8Array())))
  return {
    name: 'snp-revocation',
    weight: 20,
    feed: random => {
      if (random.below(2) === 0) {
        const crl = mutateDer(random, lists)
        verifySnpReport({ ...input, crl })
        assert.ok(genuine.has(toHex(parseCrl(crl).tbs)), 'a changed list holds')
        return 'held'
      }
      const fromMs = MADE_SNP_NOW_MS + random.pick([-1000, 0, 1000, -(10 ** 9)])
      const untilMs = MADE_SNP_NOW_MS + random.pick([1000, 0, 10 ** 9, -1000])
      const revoked = Array.from({ length: random.below(4) }, () => MADE_SERIALS.ark + random.below(8))
      const issuerName = random.below(8) === 0 ? 'ARK-Milan' : 'ARK-Genoa'
      const signer = random.below(8) === 0 ? askKey : arkKey
      const sound =
        fromMs <= MADE_SNP_NOW_MS &&
        untilMs > MADE_SNP_NOW_MS &&
        issuerName === 'ARK-Genoa' &&
        signer === arkKey &&
        !revoked.some(serial => serial === MADE_SERIALS.ark || serial === MADE_SERIALS.ask)
      const crl = signer.resigned(platform.crl({ fromMs, untilMs, revoked, issuerName }))
      try {
        verifySnpReport({ ...input, crl })
      } catch (err) {
        assert.ok(!sound, `a list without fault is refused: ${String(err)}`)
        throw err
      }
      assert.ok(sound, 'a list with a fault holds')
      return 'held made'
    }
  }
}

function anyPolicy(random: FuzzRandom): SnpPolicy {
  if (random.below(2) === 0) {
    return MILAN_POLICY
  }
  return {
    minimumTcb:
      random.below(4) === 0
        ? {}
        : { milan: random.below(3) === 0 ? { ...ANY_TCB, microcode: random.below(256) } : ANY_TCB },
    vmpls: random.pick([[0], [0, 1], [1]]),
    minimumAbi: [random.below(2), random.below(60)],
    allowSmt: random.below(2) === 0,
    allowMigrationAgent: random.below(2) === 0,
    allowCxl: random.below(2) === 0,
    requiredPlatform: random.below(2) === 0 ? [] : ['eccEnabled']
  }
}

/** As a host writes it: names, offsets, lengths; then the certificates. */
function certificateTable({ leaf, ask, ark }: SignedSnpReportInput['certificates']): LaidOut {
  const names = [
    '63da758de6644564adc5f4b93be8accd',
    '4ab7b379bbac4fe4a02f05aef327c782',
    'c0b406a4a803495297433fb6014cd0ae'
  ]
  const ders = [leaf, ask, ark]
  const head = Buffer.alloc(24 * 4)
  let offset = head.length
  const numbers: Array<readonly [number, number]> = []
  ders.forEach((der, i) => {
    head.write(names[i] ?? '', i * 24, 'hex')
    head.writeUInt32LE(offset, i * 24 + 16)
    head.writeUInt32LE(der.length, i * 24 + 20)
    numbers.push([i * 24, 4], [i * 24 + 16, 4], [i * 24 + 20, 4])
    offset += der.length
  })
  return { bytes: new Uint8Array(Buffer.concat([head, ...ders])), numbers }
}
