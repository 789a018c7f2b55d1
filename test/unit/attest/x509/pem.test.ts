import assert from 'node:assert/strict'
import fc from 'fast-check'
import { splitPem } from '../../../../src/attest/x509/pem.ts'
import { pemOf } from './make-certificate.ts'

describe('PEM', () => {
  it('is split into what was written, with either line end and empty lines between', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 400 })
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 4 }), fc.boolean(), (all, crlf) => {
        const text = all.map(pemOf).join('\n')
        assert.deepEqual(splitPem(crlf ? text.replaceAll('\n', '\r\n') : Buffer.from(text), 4), all)
      })
    )
  })

  describe('is refused with', () => {
    const good = pemOf(new Uint8Array(100).fill(7))
    const cases: Record<string, string> = {
      nothing: '',
      'no certificate': '\n\n',
      'text before': `Subject: x\n${good}`,
      'text after': `${good}x`,
      'a zero byte after': `${good}\0`,
      'another label': good.replaceAll('CERTIFICATE', 'X509 CRL'),
      'no end': good.slice(0, -10),
      'an end only': good.slice(good.indexOf('\n') + 1),
      'short lines': good.replace(/(.{32})(.{32})\n/, '$1\n$2\n'),
      'a long line': good.replace(/(.{64})\n(.{8})/, '$1$2\n'),
      'an empty line inside': good.replace(/(.{64})\n/, '$1\n\n'),
      'white space': good.replace('Bw', ' w'),
      'another alphabet': good.replace('Bw', '_w'),
      'bits after the last byte': good.replace('==', '').replace(/(.)\n-----END/, 'x\n-----END'),
      'mixed line ends': good.replace('\n', '\r\n'),
      'three certificates where two are the most': good + good + good
    }
    for (const [what, text] of Object.entries(cases)) {
      it(what, () => assert.throws(() => splitPem(text, 2), { code: 'ATTESTATION_PEM_INVALID' }))
    }
  })
})
