import assert from 'node:assert/strict'
import { expectAnswer } from '../../../src/attest/nvidia/answer.ts'
import { canonicalXml } from '../../../src/attest/nvidia/canonical-xml.ts'
import { verifyDeviceChain } from '../../../src/attest/nvidia/device-chain.ts'
import { readFirmwareId } from '../../../src/attest/nvidia/firmware-id.ts'
import { expectMeasurements } from '../../../src/attest/nvidia/measurements.ts'
import { parseGpuReport } from '../../../src/attest/nvidia/report.ts'
import { verifyRim } from '../../../src/attest/nvidia/rim.ts'
import { readRimContent } from '../../../src/attest/nvidia/rim-content.ts'
import { verifyNvidiaEvidence } from '../../../src/attest/nvidia/verify.ts'
import { parseXml, XmlFault } from '../../../src/attest/nvidia/xml.ts'
import { childElements } from '../../../src/attest/nvidia/xml-shape.ts'
import { parseCertificate } from '../../../src/attest/x509/certificate.ts'
import { splitPem } from '../../../src/attest/x509/pem.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { nvidiaVectors } from '../../unit/attest/nvidia/vectors.ts'
import { pemOf } from '../../unit/attest/x509/make-certificate.ts'
import { mutateDer, readDerDocument } from '../mutate-der.ts'
import { type LaidOut, mutateLayout } from '../mutate-fields.ts'
import { mutateLines, mutateXml } from '../mutate-text.ts'
import type { FuzzRandom } from '../random.ts'
import type { Surface } from '../surface.ts'

const SMALL_XML =
  '<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="urn:a" xmlns:b="urn:b" c="d"><b:e b:f="g" h="i">text</b:e><j/>\n<k l="m">\n<n o="p"></n></k></a>\n'

/** Reports, chains and golden measurements of an H100; the recorded ones, or none where they are not at hand. */
export function gpuSurfaces(): Surface[] {
  const vectors = nvidiaVectors()
  if (vectors === undefined) {
    return []
  }
  const { gonvtrust, nvtrust } = vectors
  const layouts = [gonvtrust, nvtrust].map(({ report }) => reportLayout(report))
  const bodies = new Set([gonvtrust, nvtrust].map(({ report }) => toHex(parseGpuReport(report).signedBody)))
  const chains = [gonvtrust.chainPem, nvtrust.chainPem]
  const { nowMs } = gonvtrust
  const devices = [gonvtrust, nvtrust].map(({ chainPem, nonce }) => ({
    device: verifyDeviceChain(chainPem, nowMs),
    nonce
  }))
  const keys = devices.map(({ device }) => readDerDocument(device.firmwareKey.der))
  const rims = [gonvtrust.rims.driver, gonvtrust.rims.vbios]
  const contents = rims.map(rim => verifyRim(rim, nowMs))
  const [driver, vbios] = contents
  assert.ok(driver && vbios)
  const texts = rims.map(rim => Buffer.from(rim).toString('latin1'))
  const meaning = ({ version, golden }: { version: string; golden: ReadonlyMap<number, readonly string[]> }): string =>
    JSON.stringify([version, [...golden]])
  const genuine = contents.map(meaning)
  return [
    {
      name: 'gpu-report',
      weight: 90,
      feed: random => {
        const report = parseGpuReport(mutateLayout(random, layouts))
        const same = random.below(8) === 0
        expectMeasurements(report, same ? { driver: { ...vbios, version: driver.version }, vbios } : { driver, vbios })
        return 'read'
      }
    },
    {
      name: 'gpu-answer',
      weight: 18,
      feed: random => {
        const report = parseGpuReport(mutateLayout(random, layouts))
        const { device, nonce } = random.pick(devices)
        expectAnswer(
          report,
          random.below(4) === 0 ? { ...device, firmwareId: new Uint8Array(48) } : device,
          random.below(4) === 0 ? random.bytes(32) : nonce
        )
        assert.ok(bodies.has(toHex(report.signedBody)), 'a changed GPU report holds')
        return 'held'
      }
    },
    {
      name: 'gpu-chain',
      weight: 10,
      feed: random => {
        const chain = random.below(5) === 0 ? reordered(random, random.pick(chains)) : mutateLines(random, chains)
        const device = verifyDeviceChain(chain, nowMs)
        assert.ok(
          devices.some(one => toHex(one.device.firmwareKey.tbs) === toHex(device.firmwareKey.tbs)),
          'a changed device holds'
        )
        return 'held'
      }
    },
    {
      name: 'firmware-id',
      weight: 10,
      feed: random => {
        const chip = random.pick(devices).device.chip
        return `read ${readFirmwareId(parseCertificate(mutateDer(random, keys)), chip).length}`
      }
    },
    {
      name: 'xml',
      weight: 60,
      feed: random => {
        try {
          const small = random.below(6) > 0
          const root = parseXml(Buffer.from(mutateXml(random, small ? [SMALL_XML] : texts)).toString('latin1'))
          const canonical = canonicalXml(root)
          assert.equal(canonicalXml(parseXml(canonical)), canonical, 'XML has two canonical forms')
          const signature = small ? undefined : childElements(root).at(-1)
          return signature === undefined ? 'read' : `content ${readRimContent(root, signature).golden.size > 0}`
        } catch (err) {
          if (err instanceof XmlFault) {
            return 'XmlFault'
          }
          throw err
        }
      }
    },
    {
      name: 'rim',
      weight: 10,
      feed: random => {
        const rim = verifyRim(
          random.below(8) === 0 ? otherSigners(random, random.pick(texts)) : mutateXml(random, texts),
          nowMs
        )
        assert.ok(genuine.includes(meaning(rim)), 'changed golden measurements hold')
        return 'held'
      }
    },
    {
      name: 'verify-gpu',
      weight: 1,
      feed: random => {
        const part = random.below(4)
        const verified = verifyNvidiaEvidence({
          ...gonvtrust,
          ...(part === 0 ? { report: mutateLayout(random, [reportLayout(gonvtrust.report)]) } : {}),
          ...(part === 1 ? { chainPem: mutateLines(random, chains) } : {}),
          ...(part === 2 ? { rims: { driver: random.pick(rims), vbios: random.pick(rims) } } : {}),
          ...(part === 3
            ? {
                policy: random.pick([
                  { driverVersions: [] },
                  { vbiosVersions: ['96.00.9F.00.01'] },
                  { driverVersions: ['545.00'] }
                ])
              }
            : {})
        })
        assert.deepEqual(verified.measurements.map(toHex), parseGpuReport(gonvtrust.report).measurements.map(toHex))
        return 'held'
      }
    },
    {
      name: 'device-pem',
      weight: 10,
      feed: random => `read ${splitPem(mutateLines(random, chains), 5).length}`
    }
  ]
}

/** The certificates of a chain, with one of them left out or in the place of another. */
function reordered(random: FuzzRandom, pem: string): string {
  const ders = splitPem(pem.replaceAll('----------', '-----\n-----'), 5)
  const at = random.below(ders.length)
  ders.splice(at, 1, ...(random.below(2) === 0 ? [] : [random.pick(ders)]))
  return ders.map(pemOf).join('')
}

/** A certificate of the signature left out, or there twice. */
function otherSigners(random: FuzzRandom, text: string): Uint8Array {
  const found = [...text.matchAll(/<([a-z]*:?X509Certificate)>[^<]*<\/\1>/g)]
  const { 0: element, index } = random.pick(found)
  const copies = random.below(2) * 2
  return Buffer.from(text.slice(0, index) + element.repeat(copies) + text.slice(index + element.length), 'latin1')
}

/** SPDM's headers, counts and sizes; the header of each measurement; the opaque fields. */
function reportLayout(bytes: Uint8Array): LaidOut {
  const view = Buffer.from(bytes)
  const numbers: Array<readonly [number, number]> = [
    [0, 4],
    [36, 1],
    [37, 4],
    [41, 1],
    [42, 3]
  ]
  const recordEnd = 45 + view.readUIntLE(42, 3)
  for (let at = 45; at < recordEnd; at += 55) {
    numbers.push([at, 1], [at + 1, 1], [at + 2, 2], [at + 4, 1], [at + 5, 2])
  }
  numbers.push([recordEnd + 32, 2])
  for (let at = recordEnd + 34; at < bytes.length - 96; at += 4 + view.readUInt16LE(at + 2)) {
    numbers.push([at, 2], [at + 2, 2])
  }
  return { bytes, numbers }
}
