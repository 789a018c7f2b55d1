import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { canonicalXml } from '../../../../src/attest/nvidia/canonical-xml.ts'
import { expectMeasurements } from '../../../../src/attest/nvidia/measurements.ts'
import { parseGpuReport } from '../../../../src/attest/nvidia/report.ts'
import { type Rim, verifyRim } from '../../../../src/attest/nvidia/rim.ts'
import { parseXml } from '../../../../src/attest/nvidia/xml.ts'
import { GPU_NOW_MS, type NvidiaVectors, nvidiaVectors } from './vectors.ts'

describe('golden measurements', () => {
  let vectors: NvidiaVectors
  let driver = ''
  let vbios = ''

  before(function () {
    const found = nvidiaVectors()
    if (found === undefined) {
      this.skip()
    }
    vectors = found
    driver = Buffer.from(vectors.gonvtrust.rims.driver).toString('latin1')
    vbios = Buffer.from(vectors.gonvtrust.rims.vbios).toString('latin1')
  })

  const verify = (text: string, nowMs = GPU_NOW_MS): Rim => verifyRim(Buffer.from(text, 'latin1'), nowMs)
  const refuses = (text: string, code: string, what?: string): void => {
    assert.throws(() => verify(text), { code }, what)
  }

  function edited(text: string, from: string | RegExp, to: string): string {
    const result = text.replace(from, to)
    assert.notEqual(result, text, `${from} is not there`)
    return result
  }

  /** What a forger can do: the right digest of changed content. */
  function digestedAnew(text: string): string {
    const root = parseXml(text)
    const signature = root.children.findLast(child => typeof child === 'object')
    const digest = createHash('sha384')
      .update(canonicalXml(root, undefined, signature))
      .digest('base64')
    return text.replace(/<ds:DigestValue>[^<]*/, `<ds:DigestValue>${digest}`)
  }

  it('are NVIDIA’s for driver 545.00 and VBIOS 96.00.5E.00.01', () => {
    const [ofDriver, ofVbios] = [verify(driver), verify(vbios)]
    assert.equal(ofDriver.version, '545.00')
    assert.equal(ofVbios.version, '96.00.5E.00.01')
    assert.deepEqual([ofDriver.golden.size, ofVbios.golden.size], [21, 12])
    assert.equal(ofDriver.golden.get(35)?.length, 2)
    assert.equal(ofDriver.golden.has(0), false)
    assert.equal(new Date(ofDriver.validity.notAfterMs).toISOString(), '2025-06-26T06:10:12.000Z')
  })

  it('may be written otherwise where canonical XML says the same', () => {
    const same = [
      `<?xml version="1.0" encoding="UTF-8"?>\n${driver}`,
      edited(driver, 'corpus="false" name="GH100"', 'name="GH100"\n  corpus="false"'),
      edited(
        driver,
        '<ns0:Entity name="NVIDIA Corporation" role="softwareCreator tagCreator"/>',
        '<ns0:Entity role="softwareCreator tagCreator" name="NVIDIA Corporation" ></ns0:Entity>'
      )
    ]
    for (const text of same) {
      assert.equal(verify(text).golden.size, 21)
    }
  })

  it('refuses content that was not signed', () => {
    const digests = /a25bfdd83f/
    refuses(edited(driver, digests, 'b25bfdd83f'), 'ATTESTATION_RIM_DIGEST_MISMATCH')
    refuses(edited(driver, 'index="7" active="True"', 'index="7" active="False"'), 'ATTESTATION_RIM_DIGEST_MISMATCH')
    refuses(
      edited(driver, 'colloquialVersion="545.00"', 'colloquialVersion="550.00"'),
      'ATTESTATION_RIM_DIGEST_MISMATCH'
    )
    refuses(edited(driver, '\n    </ns0:Payload>', '\n   </ns0:Payload>'), 'ATTESTATION_RIM_DIGEST_MISMATCH')
  })

  it('refuses content that was digested anew', () => {
    const changed = digestedAnew(edited(driver, /a25bfdd83f/, 'b25bfdd83f'))
    refuses(changed, 'ATTESTATION_RIM_SIGNATURE_INVALID')
    refuses(
      digestedAnew(edited(driver, 'index="7" active="True"', 'index="7" active="False"')),
      'ATTESTATION_RIM_SIGNATURE_INVALID'
    )
    assert.equal(digestedAnew(driver), driver)
  })

  it('refuses content that somebody else signed', () => {
    const changed = digestedAnew(edited(driver, /a25bfdd83f/, 'b25bfdd83f'))
    const root = parseXml(changed)
    const signature = root.children.findLast(child => typeof child === 'object')
    const info = signature?.children[0]
    assert.ok(typeof info === 'object' && signature !== undefined)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const scope = new Map([...root.declarations, ...signature.declarations])
    const value = sign('sha384', Buffer.from(canonicalXml(info, scope)), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    const forged = changed.replace(/<ds:SignatureValue>[^<]*/, `<ds:SignatureValue>${value.toString('base64')}`)
    refuses(forged, 'ATTESTATION_RIM_SIGNATURE_INVALID')
  })

  it('refuses the signature of other golden measurements', () => {
    const value = /<ds:SignatureValue>[^<]*/.exec(vbios)?.[0] ?? ''
    refuses(edited(driver, /<ds:SignatureValue>[^<]*/, value), 'ATTESTATION_RIM_SIGNATURE_INVALID')
  })

  it('refuses other signers', () => {
    const certificate = '<ds:X509Certificate>'
    const inner = driver.slice(driver.indexOf(certificate), driver.indexOf('</ds:X509Data>'))
    const list = inner.split(/(?=<ds:X509Certificate>)/)
    assert.equal(list.length, 4)
    const device = [...vectors.gonvtrust.chainPem.matchAll(/BEGIN CERTIFICATE-----([^-]*)-/g)].map(
      found => `<ds:X509Certificate>${found[1]}</ds:X509Certificate>`
    )
    const chains = [
      list.slice(1),
      list.slice(0, 3),
      list.with(2, list[3] ?? ''),
      list.toReversed(),
      device.slice(1),
      [...list, ...list].slice(1, 5)
    ]
    for (const chain of chains) {
      refuses(edited(driver, inner, chain.join('')), 'ATTESTATION_RIM_SIGNER_UNKNOWN')
    }
    refuses(edited(driver, inner, list.with(3, list[2] ?? '').join('')), 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN')
    refuses(edited(driver, inner, [...list, ...list].join('')), 'ATTESTATION_RIM_INVALID')
    refuses(edited(driver, inner, ''), 'ATTESTATION_RIM_SIGNER_UNKNOWN')
  })

  it('refuses signatures of another form', () => {
    const signature = driver.slice(driver.indexOf('<ds:Signature '), driver.indexOf('</SoftwareIdentity>'))
    const wrong: Record<string, string> = {
      'no signature': edited(driver, signature, ''),
      'a signature of another name': edited(driver, /ds:Signature(?=[ >])/g, 'ds:Sign'),
      'a signature of another namespace': edited(
        edited(driver, 'SoftwareIdentity ', 'SoftwareIdentity xmlns:o="urn:o" '),
        /(<\/?)ds:Signature(?=[ >])/g,
        '$1o:Signature'
      ),
      'two signatures': edited(driver, '</SoftwareIdentity>', `${signature}</SoftwareIdentity>`),
      'a signature before the payload': edited(
        edited(driver, signature, ''),
        '<ns0:Payload',
        `${signature}<ns0:Payload`
      ),
      'a reference to a part': edited(driver, 'Reference URI=""', 'Reference URI="#x"'),
      'a reference without URI': edited(driver, 'Reference URI=""', 'Reference'),
      'two references': edited(driver, /<ds:Reference .*<\/ds:Reference>/, '$&$&'),
      'another canonical form': edited(
        driver,
        'CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11"',
        'CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"'
      ),
      'another signature method': edited(driver, '#ecdsa-sha384', '#hmac-sha384'),
      'another digest method': edited(
        driver,
        'DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#sha384"',
        'DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"'
      ),
      'one transform': edited(driver, /<ds:Transform Algorithm="[^"]*c14n11"\/>/, ''),
      'another transform': edited(driver, '#enveloped-signature', '#base64'),
      'transforms turned round': edited(driver, /(<ds:Transform [^>]*>)(<ds:Transform [^>]*>)/, '$2$1'),
      'an algorithm with content': edited(driver, /(<ds:SignatureMethod [^>]*)\/>/, '$1><ds:x/></ds:SignatureMethod>'),
      'an attribute more': edited(driver, '<ds:SignedInfo>', '<ds:SignedInfo Id="x">'),
      'an object': edited(driver, '</ds:KeyInfo>', '</ds:KeyInfo><ds:Object/>'),
      'text between': edited(driver, '<ds:KeyInfo>', 'x<ds:KeyInfo>'),
      'no base64': edited(driver, '<ds:SignatureValue>', '<ds:SignatureValue>!'),
      'loose base64': edited(driver, '</ds:SignatureValue>', '=</ds:SignatureValue>'),
      'an element in a value': edited(driver, '<ds:SignatureValue>', '<ds:SignatureValue><ds:x/>'),
      'an element after a value': edited(driver, '</ds:SignatureValue>', '<ds:x/></ds:SignatureValue>'),
      'no value': edited(driver, /<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>')
    }
    for (const [what, text] of Object.entries(wrong)) {
      const code = what === 'two signatures' ? 'ATTESTATION_RIM_DIGEST_MISMATCH' : 'ATTESTATION_RIM_INVALID'
      refuses(text, code, what)
    }
    refuses(edited(driver, /<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>AAAA'), 'ATTESTATION_RIM_SIGNATURE_INVALID')
  })

  it('refuses what is no manifest, or too large', () => {
    refuses('', 'ATTESTATION_RIM_INVALID')
    refuses('<a/>', 'ATTESTATION_RIM_INVALID')
    refuses(edited(driver, /<ds:Signature [^>]*>[^]*<\/ds:Signature>/, '<Signature/>'), 'ATTESTATION_RIM_INVALID')
    refuses(edited(driver, '<SoftwareIdentity', '<!DOCTYPE x><SoftwareIdentity'), 'ATTESTATION_RIM_INVALID')
    refuses(edited(driver, /SoftwareIdentity/g, 'Other'), 'ATTESTATION_RIM_INVALID')
    refuses(driver + ' '.repeat(256 * 1024), 'ATTESTATION_RIM_SIZE')
  })

  it('refuses times at which its signer was not certified', () => {
    assert.throws(() => verify(driver, Date.UTC(2025, 6, 1)), { code: 'ATTESTATION_CERTIFICATE_EXPIRED' })
    assert.throws(() => verify(driver, Date.UTC(2023, 5, 1)), { code: 'ATTESTATION_CERTIFICATE_NOT_YET_VALID' })
    assert.throws(() => verify(driver, Number.NaN), { code: 'ATTESTATION_INPUT_INVALID' })
  })

  describe('against a report', () => {
    it('refuses each measurement that differs, and names its index', () => {
      const report = parseGpuReport(vectors.gonvtrust.report)
      const rims = { driver: verify(driver), vbios: verify(vbios) }
      const judged = [...rims.driver.golden.keys(), ...rims.vbios.golden.keys()]
      assert.equal(new Set(judged).size, 33)
      for (let index = 0; index < 64; index++) {
        const measured = Uint8Array.from(report.measurements[index] ?? [])
        measured[47] = (measured[47] ?? 0) ^ 1
        const measurements = report.measurements.with(index, measured)
        if (judged.includes(index)) {
          assert.throws(() => expectMeasurements({ ...report, measurements }, rims), {
            code: 'ATTESTATION_GPU_MEASUREMENT_MISMATCH',
            message: new RegExp(`1 measurements differ, at ${index}$`)
          })
        } else {
          expectMeasurements({ ...report, measurements }, rims)
        }
      }
      assert.throws(() => expectMeasurements({ ...report, measurements: report.measurements.slice(0, 30) }, rims), {
        code: 'ATTESTATION_GPU_MEASUREMENT_MISMATCH'
      })
    })

    it('refuses golden measurements of another version, or in the other’s place', () => {
      const report = parseGpuReport(vectors.gonvtrust.report)
      const rims = { driver: verify(driver), vbios: verify(vbios) }
      const code = 'ATTESTATION_RIM_VERSION_MISMATCH'
      assert.throws(() => expectMeasurements(report, { driver: rims.vbios, vbios: rims.driver }), { code })
      assert.throws(() => expectMeasurements(report, { ...rims, driver: { ...rims.driver, version: '545.01' } }), {
        code
      })
      assert.throws(
        () => expectMeasurements(report, { ...rims, vbios: { ...rims.vbios, version: '96.00.5E.00.02' } }),
        { code }
      )
    })

    it('refuses two files that judge one measurement', () => {
      const report = parseGpuReport(vectors.gonvtrust.report)
      const rims = { driver: verify(driver), vbios: verify(vbios) }
      const golden = new Map([...rims.vbios.golden, [7, rims.driver.golden.get(7) ?? []]])
      assert.throws(() => expectMeasurements(report, { ...rims, vbios: { ...rims.vbios, golden } }), {
        code: 'ATTESTATION_RIM_CONFLICT'
      })
    })
  })
})
