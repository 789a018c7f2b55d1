import assert from 'node:assert/strict'
import { type Certificate, parseCertificate, verifyCertificateSignature } from '../../../src/attest/x509/certificate.ts'
import { verifyChain } from '../../../src/attest/x509/chain.ts'
import { expectNotRevoked, parseCrl, verifyCrl } from '../../../src/attest/x509/crl.ts'
import { splitPem } from '../../../src/attest/x509/pem.ts'
import { sha256, toHex } from '../../../src/core/bytes.ts'
import { errorCode } from '../../../src/core/errors.ts'
import { pemOf } from '../../unit/attest/x509/make-certificate.ts'
import { mutateDer } from '../mutate-der.ts'
import { mutateLines } from '../mutate-text.ts'
import type { FuzzRandom } from '../random.ts'
import type { Surface } from '../surface.ts'
import { madeChainSurface } from './made-chain.ts'
import type { X509Seeds } from './x509-seeds.ts'

/** Certificates, chains of them, revocation lists and PEM. */
export function x509Surfaces(seeds: X509Seeds): Surface[] {
  const chains = seeds.chains.map(({ pem, nowMs }) => ({ ders: splitPem(pem, 8), nowMs }))
  const issuers = uniqueIssuers(chains.flatMap(({ ders }) => ders.map(der => parseCertificate(der))))
  const pems = seeds.chains.map(({ pem }) => pem)
  return [
    {
      name: 'certificate',
      weight: 130,
      feed: random => {
        const certificate = parseCertificate(mutateDer(random, seeds.certificates))
        const issuer = issuers.get(toHex(certificate.issuer.der))
        if (issuer === undefined || seeds.genuine.has(toHex(certificate.tbs))) {
          return 'read'
        }
        verifyCertificateSignature(certificate, issuer)
        throw new assert.AssertionError({ message: 'a changed certificate is signed by its issuer' })
      }
    },
    {
      name: 'crl',
      weight: 70,
      feed: random => {
        const crl = parseCrl(mutateDer(random, seeds.crls))
        const { issuer, nowMs } = random.pick(seeds.lists)
        const revoked = random.pick(chains).ders[0]
        verifyCrl(crl, issuer, random.below(8) === 0 ? nowMs + (random.below(3) - 1) * 10 ** 11 : nowMs)
        assert.ok(seeds.genuine.has(toHex(crl.tbs)), 'a changed revocation list is signed by its issuer')
        expectNotRevoked(parseCertificate(revoked ?? new Uint8Array()), crl)
        return 'held'
      }
    },
    {
      name: 'pem',
      weight: 70,
      feed: random => {
        const text = mutateLines(random, pems)
        const found = splitPem(text, 1 + random.below(8))
        const plain = Buffer.from(text).toString('latin1').replaceAll('\r', '').replaceAll(/\n+/g, '\n').trim()
        assert.equal(found.map(pemOf).join('').trim(), plain, 'PEM has two readings')
        return 'read'
      }
    },
    {
      name: 'chain',
      weight: 10,
      feed: random => {
        const { ders, nowMs } = random.pick(chains)
        const parsed = changedChain(random, ders, chains, seeds).map(der => parseCertificate(der))
        const root = parseCertificate(
          random.below(16) === 0 ? random.pick(random.pick(chains).ders) : (ders.at(-1) ?? new Uint8Array())
        )
        const understoodExtensions = random.below(2) === 0 ? [] : ['2.23.133.5.4.1']
        verifyChain({ chain: parsed, rootSha256: [toHex(sha256(root.der))], nowMs, understoodExtensions })
        assert.ok(
          parsed.every(({ tbs }) => seeds.genuine.has(toHex(tbs))),
          'a changed certificate is in a chain that holds'
        )
        return 'held'
      }
    },
    madeChainSurface()
  ]
}

/** A chain whose order, length or certificates are no more what they were. */
function changedChain(
  random: FuzzRandom,
  ders: readonly Uint8Array[],
  chains: ReadonlyArray<{ readonly ders: readonly Uint8Array[] }>,
  seeds: X509Seeds
): Uint8Array[] {
  const changed = [...ders]
  const at = random.below(changed.length)
  switch (random.below(6)) {
    case 0:
      changed.splice(at, 1)
      break
    case 1:
      changed.splice(at, 0, ...Array.from({ length: 1 + random.below(8) }, () => changed[at] ?? new Uint8Array()))
      break
    case 2:
      changed[at] = random.pick(random.pick(chains).ders)
      break
    case 3:
      changed.reverse()
      break
    default: {
      // Mostly of the same chain, so that all others still fit.
      const own = seeds.certificates.filter(({ bytes }) => toHex(bytes) === toHex(changed[at] ?? new Uint8Array()))
      changed[at] = mutateDer(random, own.length > 0 ? own : seeds.certificates)
    }
  }
  return changed
}

/** The genuine issuers by the bytes of their names; one that issues in two ways is left out. */
function uniqueIssuers(certificates: readonly Certificate[]): Map<string, Certificate> {
  const found = new Map<string, Certificate>()
  for (const certificate of certificates) {
    found.set(toHex(certificate.subject.der), certificate)
  }
  for (const certificate of certificates) {
    const issuer = found.get(toHex(certificate.issuer.der))
    try {
      if (issuer !== undefined) {
        verifyCertificateSignature(certificate, issuer)
      }
    } catch (err) {
      assert.equal(errorCode(err), 'ATTESTATION_CERTIFICATE_SIGNATURE_INVALID')
      found.delete(toHex(certificate.issuer.der))
    }
  }
  return found
}
