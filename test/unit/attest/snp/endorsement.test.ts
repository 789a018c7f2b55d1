import assert from 'node:assert/strict'
import { readEndorsement } from '../../../../src/attest/snp/endorsement.ts'
import type { SnpProduct } from '../../../../src/attest/snp/product.ts'
import type { SnpSigner } from '../../../../src/attest/snp/report.ts'
import { type Certificate, parseCertificate } from '../../../../src/attest/x509/certificate.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import { type SnpVectors, snpVectors } from './vectors.ts'

const ARC = '1.3.6.1.4.1.3704.1.'
const CODE = 'ATTESTATION_SNP_ENDORSEMENT_INVALID'

describe('AMD’s extensions of certificates', () => {
  let vectors: SnpVectors

  before(function () {
    const found = snpVectors()
    if (found === undefined) {
      this.skip()
    }
    vectors = found
  })

  it('reads a VCEK of Milan', () => {
    const { tcb, chipId, cloudId } = readEndorsement(parseCertificate(vectors.coco.certificates.leaf), 'milan', 'vcek')
    assert.deepEqual(tcb, { fmc: 0, bootLoader: 3, tee: 0, snp: 8, microcode: 115 })
    assert.equal(toHex(chipId ?? new Uint8Array()), toHex(vectors.coco.report.subarray(0x1a0, 0x1e0)))
    assert.equal(cloudId, undefined)
  })

  it('reads a VCEK of Turin: an FMC, and 8 bytes of chip id as reports have them', () => {
    const { tcb, chipId } = readEndorsement(parseCertificate(vectors.turinLeaf), 'turin', 'vcek')
    assert.deepEqual(tcb, { fmc: 0, bootLoader: 0, tee: 0, snp: 0, microcode: 9 })
    assert.equal(toHex(chipId ?? new Uint8Array()), `1e550a8ee5cf9f4d${'00'.repeat(56)}`)
  })

  it('reads a VLEK: a cloud, no chip', () => {
    const leaf = parseCertificate(vectors.vlek.certificates.leaf)
    const { tcb, chipId, cloudId } = readEndorsement(leaf, 'milan', 'vlek')
    assert.equal(tcb.microcode, 0xd9)
    assert.equal(chipId, undefined)
    assert.equal(cloudId, 'CN=cc-us-east-2.amazonaws.com')
  })

  it('refuses the certificate of another product or signer', () => {
    const milan = parseCertificate(vectors.coco.certificates.leaf)
    const turin = parseCertificate(vectors.turinLeaf)
    const vlek = parseCertificate(vectors.vlek.certificates.leaf)
    const wrong: Array<[Certificate, SnpProduct, SnpSigner]> = [
      [milan, 'genoa', 'vcek'],
      [milan, 'turin', 'vcek'],
      [turin, 'genoa', 'vcek'],
      [milan, 'milan', 'vlek'],
      [vlek, 'milan', 'vcek']
    ]
    for (const args of wrong) {
      assert.throws(() => readEndorsement(...args), { code: CODE })
    }
  })

  it('refuses an extension that is missing, malformed, out of range or too many', () => {
    const leaf = parseCertificate(vectors.coco.certificates.leaf)
    const edited = (name: string, hex: string | undefined): Certificate => {
      const extensions = new Map(leaf.extensions)
      if (hex === undefined) {
        assert.ok(extensions.delete(ARC + name), name)
      } else {
        extensions.set(ARC + name, { critical: false, value: Buffer.from(hex, 'hex') })
      }
      return { ...leaf, extensions }
    }
    const ours = [...leaf.extensions.keys()].filter(oid => oid.startsWith(ARC))
    assert.equal(ours.length, 11)
    for (const oid of ours) {
      assert.throws(
        () => readEndorsement(edited(oid.slice(ARC.length), undefined), 'milan', 'vcek'),
        { code: CODE },
        oid
      )
    }
    const cases: Array<[string, string]> = [
      ['1', '020102'],
      ['2', '160547656e6f61'],
      ['2', '16054d696c616e00'],
      ['2', '16094d696c616e2d423058'],
      ['3.1', '02020100'],
      ['3.1', '0201ff'],
      ['3.1', '020200'],
      ['3.1', '02020003'],
      ['3.1', '02010300'],
      ['3.1', ''],
      ['3.4', '020101'],
      ['3.7', '020101'],
      ['3.9', '020100'],
      ['4', '00'.repeat(64)],
      ['4', '01'.repeat(63)],
      ['4', '01'.repeat(8)],
      ['5', '1601'],
      ['99', '020100']
    ]
    for (const [name, hex] of cases) {
      assert.throws(() => readEndorsement(edited(name, hex), 'milan', 'vcek'), { code: CODE }, `${name} ${hex}`)
    }
    readEndorsement(edited('2', '16054d696c616e'), 'milan', 'vcek')
  })

  it('refuses a cloud whose name is long or not printable', () => {
    const leaf = parseCertificate(vectors.vlek.certificates.leaf)
    const named = (name: string): Certificate => {
      const length = name.length < 128 ? [name.length] : [0x82, name.length >> 8, name.length & 0xff]
      const value = Buffer.concat([Buffer.from([0x16, ...length]), Buffer.from(name, 'latin1')])
      return { ...leaf, extensions: new Map([...leaf.extensions, [`${ARC}5`, { critical: false, value }]]) }
    }
    assert.equal(readEndorsement(named('CN=x'), 'milan', 'vlek').cloudId, 'CN=x')
    for (const name of ['CN=\n', 'CN=\u007f', 'CN=\u00e9', 'x'.repeat(257)]) {
      assert.throws(() => readEndorsement(named(name), 'milan', 'vlek'), { code: CODE })
    }
    assert.equal(readEndorsement(named('x'.repeat(256)), 'milan', 'vlek').cloudId?.length, 256)
  })
})
