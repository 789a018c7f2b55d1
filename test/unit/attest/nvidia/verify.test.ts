import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import * as fc from 'fast-check'
import { expectAnswer } from '../../../../src/attest/nvidia/answer.ts'
import { readFirmwareId } from '../../../../src/attest/nvidia/firmware-id.ts'
import { type GpuReport, parseGpuReport } from '../../../../src/attest/nvidia/report.ts'
import { type VerifyNvidiaEvidenceInput, verifyNvidiaEvidence } from '../../../../src/attest/nvidia/verify.ts'
import { parseCertificate } from '../../../../src/attest/x509/certificate.ts'
import { splitPem } from '../../../../src/attest/x509/pem.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import { AttestationError } from '../../../../src/core/errors.ts'
import { flipText, sampledBits } from '../snp/bit-flips.ts'
import { flipGpuEvidence, GPU_NOW_MS, type NvidiaVectors, nvidiaVectors } from './vectors.ts'

const SAMPLE = { flipsPerPart: 80, seed: 20_261_122 }

function refuses(input: VerifyNvidiaEvidenceInput, code: string): void {
  assert.throws(() => verifyNvidiaEvidence(input), { code })
}

function pem(ders: readonly Uint8Array[]): string {
  const body = (der: Uint8Array): string =>
    Buffer.from(der)
      .toString('base64')
      .replace(/.{64}(?=.)/g, '$&\n')
  return ders.map(der => `-----BEGIN CERTIFICATE-----\n${body(der)}\n-----END CERTIFICATE-----\n`).join('')
}

describe('NVIDIA evidence', () => {
  let vectors: NvidiaVectors
  let certificates: readonly Uint8Array[] = []

  before(function () {
    const found = nvidiaVectors()
    if (found === undefined) {
      this.skip()
    }
    vectors = found
    const separated = vectors.gonvtrust.chainPem.replaceAll(
      '-----END CERTIFICATE----------',
      '-----END CERTIFICATE-----\n-----'
    )
    certificates = splitPem(separated, 5)
  })

  describe('recorded', () => {
    it('accepts an H100 whose measurements are golden: 21 of the driver, 12 of the VBIOS', () => {
      const verified = verifyNvidiaEvidence(vectors.gonvtrust)
      assert.equal(verified.driverVersion, '545.00')
      assert.equal(verified.vbiosVersion, '96.00.5E.00.01')
      assert.deepEqual([verified.project, verified.projectSku, verified.chipSku], ['1010', '0200', '882'])
      assert.equal(verified.measurements.length, 64)
      assert.deepEqual(verified.comparedMeasurements, { driver: 21, vbios: 12 })
      assert.match(verified.certificateSubject, /CN=GH100 A01 GSP FMC LF$/)
      assert.match(verified.chipSubject, /^serialNumber=41FFEEB20009E0BE49/)
      assert.match(toHex(verified.firmwareId), /^80e48f4e[0-9a-f]{82}6817f7$/)
      assert.match(verified.rimDigests.driver, /^[0-9a-f]{64}$/)
      assert.equal(new Date(verified.expiresAtMs).toISOString(), '2025-06-22T09:38:54.000Z')
    })

    it('accepts report and chain of another driver, but not without its golden measurements', () => {
      refuses(vectors.nvtrust, 'ATTESTATION_RIM_VERSION_MISMATCH')
    })

    it('reads a chain with line ends between its certificates too', () => {
      verifyNvidiaEvidence({ ...vectors.gonvtrust, chainPem: pem(certificates) })
    })

    it('keeps what it returns when the caller reuses the buffer', () => {
      const report = Uint8Array.from(vectors.gonvtrust.report)
      const verified = verifyNvidiaEvidence({ ...vectors.gonvtrust, report })
      const before = verified.measurements.map(toHex)
      report.fill(0)
      assert.deepEqual(verified.measurements.map(toHex), before)
    })
  })

  describe('nonce', () => {
    it('refuses the answer to another nonce', () => {
      const nonce = Uint8Array.from(vectors.gonvtrust.nonce)
      nonce[31] = (nonce[31] ?? 0) ^ 1
      refuses({ ...vectors.gonvtrust, nonce }, 'ATTESTATION_GPU_NONCE_MISMATCH')
      refuses({ ...vectors.gonvtrust, nonce: vectors.nvtrust.nonce }, 'ATTESTATION_GPU_NONCE_MISMATCH')
    })

    it('refuses to judge without one of 32 bytes', () => {
      for (const length of [0, 31, 33]) {
        refuses({ ...vectors.gonvtrust, nonce: new Uint8Array(length) }, 'ATTESTATION_INPUT_INVALID')
      }
    })
  })

  describe('device', () => {
    it('refuses a report by another GPU', () => {
      refuses({ ...vectors.gonvtrust, chainPem: vectors.nvtrust.chainPem }, 'ATTESTATION_GPU_SIGNATURE_INVALID')
    })

    it('refuses a chain that is short, long, turned round or of other certificates', () => {
      const chains = [
        certificates.slice(1),
        certificates.slice(0, 4),
        certificates.toReversed(),
        certificates.with(3, certificates[4] ?? new Uint8Array())
      ]
      for (const chain of chains) {
        refuses({ ...vectors.gonvtrust, chainPem: pem(chain) }, 'ATTESTATION_GPU_CHAIN_MISMATCH')
      }
      refuses({ ...vectors.gonvtrust, chainPem: pem([...certificates, ...certificates]) }, 'ATTESTATION_PEM_INVALID')
      refuses({ ...vectors.gonvtrust, chainPem: '' }, 'ATTESTATION_PEM_INVALID')
    })

    it('refuses a chain that does not end at NVIDIA’s root', () => {
      const chain = certificates.with(4, certificates[3] ?? new Uint8Array())
      refuses({ ...vectors.gonvtrust, chainPem: pem(chain) }, 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN')
    })

    it('refuses the chip’s key over another chip’s firmware', () => {
      const others = splitPem(
        vectors.nvtrust.chainPem.replaceAll('-----END CERTIFICATE----------', '-----END CERTIFICATE-----\n-----'),
        5
      )
      const chain = certificates.with(1, others[1] ?? new Uint8Array())
      refuses({ ...vectors.gonvtrust, chainPem: pem(chain) }, 'ATTESTATION_CERTIFICATE_ISSUER_MISMATCH')
    })

    it('reads the firmware id of a certificate in its one form', () => {
      const [key, chip] = certificates.map(parseCertificate)
      assert.ok(key !== undefined && chip !== undefined)
      const oid = '2.23.133.5.4.1'
      const hex = toHex(key.extensions.get(oid)?.value ?? new Uint8Array())
      const read = (value: string | undefined): Uint8Array => {
        const extensions = new Map(key.extensions)
        extensions.delete(oid)
        if (value !== undefined) {
          extensions.set(oid, { critical: false, value: Buffer.from(value, 'hex') })
        }
        return readFirmwareId({ ...key, extensions }, chip)
      }
      assert.equal(toHex(read(hex)), hex.slice(-96))
      const wrong = [
        undefined,
        '',
        `${hex}00`,
        hex.slice(0, -2),
        hex.replace('3081ba020101', '3081ba020102'),
        hex.replace(toHex(chip.spki).slice(-20), '00'.repeat(10)),
        hex.replace('0609608648016503040202', '0609608648016503040201'),
        hex.replace('303d0609', '303c0609')
      ]
      for (const value of wrong) {
        assert.notEqual(value, hex)
        assert.throws(() => read(value), { code: 'ATTESTATION_GPU_FIRMWARE_ID_INVALID' }, value)
      }
      assert.throws(() => readFirmwareId(key, key), { code: 'ATTESTATION_GPU_FIRMWARE_ID_INVALID' })
    })

    it('refuses an answer of another key, to another nonce, or by other firmware', () => {
      const [certificate] = certificates.map(parseCertificate)
      assert.ok(certificate !== undefined)
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
      const device = { firmwareKey: { ...certificate, publicKey }, firmwareId: new Uint8Array(48).fill(7) }
      const genuine = parseGpuReport(vectors.gonvtrust.report)
      const { nonce, signedBody } = genuine
      const signature = sign('sha384', signedBody, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      const naming = (firmwareId: Uint8Array | undefined): GpuReport => ({
        ...genuine,
        signature,
        fields: { ...genuine.fields, firmwareId }
      })
      expectAnswer(naming(undefined), device, nonce)
      expectAnswer(naming(Uint8Array.from(device.firmwareId)), device, nonce)
      const refusesAnswer = (code: string, ...args: Parameters<typeof expectAnswer>): void => {
        assert.throws(() => expectAnswer(...args), { code })
      }
      refusesAnswer('ATTESTATION_GPU_FIRMWARE_ID_MISMATCH', naming(device.firmwareId.with(47, 8)), device, nonce)
      refusesAnswer('ATTESTATION_GPU_NONCE_MISMATCH', naming(undefined), device, nonce.with(0, 1))
      refusesAnswer('ATTESTATION_GPU_SIGNATURE_INVALID', genuine, device, nonce)
      const p256 = { ...device, firmwareKey: { ...device.firmwareKey, keyType: 'p256' as const } }
      refusesAnswer('ATTESTATION_GPU_SIGNATURE_INVALID', naming(undefined), p256, nonce)
    })
  })

  describe('policy', () => {
    it('refuses drivers and VBIOSes that it does not list', () => {
      const { gonvtrust } = vectors
      verifyNvidiaEvidence({ ...gonvtrust, policy: { driverVersions: ['545.00'], vbiosVersions: ['96.00.5E.00.01'] } })
      for (const policy of [{ driverVersions: [] }, { driverVersions: ['550.90.07'] }, { vbiosVersions: [] }]) {
        refuses({ ...gonvtrust, policy }, 'ATTESTATION_GPU_VERSION_REFUSED')
      }
    })
  })

  describe('time', () => {
    it('refuses times at which the golden measurements or the device were not certified', () => {
      const { gonvtrust } = vectors
      refuses({ ...gonvtrust, nowMs: Date.UTC(2026, 0, 10) }, 'ATTESTATION_CERTIFICATE_EXPIRED')
      refuses({ ...gonvtrust, nowMs: Date.UTC(2023, 0, 1) }, 'ATTESTATION_CERTIFICATE_NOT_YET_VALID')
      refuses({ ...gonvtrust, nowMs: Date.UTC(2020, 0, 1) }, 'ATTESTATION_CERTIFICATE_NOT_YET_VALID')
    })

    it('refuses what is no time', () => {
      for (const nowMs of [Number.NaN, Number.POSITIVE_INFINITY, 0, -1, GPU_NOW_MS + 0.5]) {
        refuses({ ...vectors.gonvtrust, nowMs }, 'ATTESTATION_INPUT_INVALID')
      }
    })
  })

  describe('damage', () => {
    // A report is signed whole but for the signature. Of the chain's text every character is part of a certificate's
    // one base64, or of PEM's lines. Of golden measurements the XML signature covers all but itself: inside it, what
    // was signed (SignedInfo) must have one form, the certificates verify among themselves up to the pinned root, and
    // white space in base64 has no neighbour by one bit that would be skipped. So there is no bit whose flip may pass.
    it('refuses every flipped bit of a seeded sample of report, chain and golden measurements', function () {
      this.timeout(120_000)
      const results = flipGpuEvidence(vectors.gonvtrust, sampledBits(SAMPLE.flipsPerPart, SAMPLE.seed))
      for (const [part, result] of Object.entries(results)) {
        assert.equal(result.flips, SAMPLE.flipsPerPart)
        assert.deepEqual(result.accepted, [], flipText(part, result))
      }
    })

    it('refuses cut and foreign bytes with nothing but an AttestationError', function () {
      this.timeout(60_000)
      const { gonvtrust } = vectors
      const parts = [gonvtrust.report, Buffer.from(gonvtrust.chainPem), gonvtrust.rims.driver, gonvtrust.rims.vbios]
      const part = (index: number): Uint8Array => parts[index] ?? gonvtrust.report
      const damages = fc.oneof(
        fc.uint8Array({ maxLength: 5000 }).map(bytes => () => bytes),
        fc.nat(20_000).map(length => (whole: Uint8Array) => whole.slice(0, length)),
        fc.tuple(fc.nat(20_000), fc.uint8Array({ minLength: 1, maxLength: 64 })).map(([offset, bytes]) => {
          return (whole: Uint8Array) => {
            const changed = Uint8Array.from(whole)
            changed.set(bytes, offset % (whole.length - bytes.length))
            return changed
          }
        })
      )
      // An empty line more or less at the end of a text changes nothing in it.
      const essence = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1').replace(/\n+$/, '')
      fc.assert(
        fc.property(damages, fc.nat(3), (damage, place) => {
          const bytes = damage(part(place))
          fc.pre(essence(bytes) !== essence(part(place)))
          const at = (index: number): Uint8Array => (place === index ? bytes : part(index))
          const input = { ...gonvtrust, report: at(0), chainPem: at(1), rims: { driver: at(2), vbios: at(3) } }
          assert.throws(() => verifyNvidiaEvidence(input), AttestationError)
        }),
        { numRuns: 100 }
      )
    })
  })
})
