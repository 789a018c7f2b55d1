import assert from 'node:assert/strict'
import { type RimContent, readRimContent } from '../../../../src/attest/nvidia/rim-content.ts'
import { parseXml, XmlFault } from '../../../../src/attest/nvidia/xml.ts'

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'
const HASHES = 'http://www.w3.org/2001/04/xmlenc#sha384'
const TCG = 'https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/'
const digest = (byte: string): string => byte.repeat(48)

interface Resource {
  name?: string
  type?: string
  index?: string
  active?: string
  alternatives?: string
  hashes?: readonly string[]
  size?: string
  more?: string
}

function resource(parts: Resource = {}): string {
  const { name = 'Resource', type = 'Measurement', index = '0', active = 'True', size = '48', more = '' } = parts
  const { hashes = [digest('aa')], alternatives = String(hashes.length) } = parts
  const list = hashes.map((hash, i) => `h:Hash${i}="${hash}"`).join(' ')
  return `<${name} type="${type}" index="${index}" active="${active}" alternatives="${alternatives}" ${list} name="m" size="${size}" ${more}/>`
}

const IDENTITY = 'corpus="false" name="GH100" patch="false" supplemental="false" tagId="x" version="1.0" tagVersion="0"'
const META = 'colloquialVersion="1.2" product="GH100" PayloadType="direct" t:BindingSpec="RIMIM"'

function read(payload: string, identity = IDENTITY, meta = META, around = ['', '']): RimContent {
  const [before = '', after = ''] = around
  const root = parseXml(
    `<S xmlns="${SWID}" xmlns:h="${HASHES}" xmlns:t="${TCG}" ${identity}>${before}<Entity/><Meta ${meta}/>${payload}${after}<Z/></S>`
  )
  const signature = root.children.at(-1)
  assert.ok(typeof signature === 'object')
  return readRimContent(root, signature)
}

const payload = (...resources: string[]): string => `<Payload>\n${resources.join('\n')}\n</Payload>`

describe('the content of golden measurements', () => {
  it('is a version, and what to compare by index', () => {
    const { version, golden } = read(
      payload(
        resource({ index: '3', hashes: [digest('aa'), digest('bb')] }),
        resource({ index: '5', active: 'False' }),
        resource({ index: '255' })
      )
    )
    assert.equal(version, '1.2')
    assert.deepEqual(
      [...golden],
      [
        [3, [digest('aa'), digest('bb')]],
        [255, [digest('aa')]]
      ]
    )
  })

  it('refuses what is no whole manifest of this product', () => {
    const one = payload(resource())
    for (const [from, to] of [
      ['corpus="false"', 'corpus="true"'],
      ['name="GH100"', 'name="GB100"'],
      ['patch="false"', 'patch="true"'],
      ['supplemental="false"', 'supplemental="true"'],
      ['version="1.0"', 'version="2.0"'],
      ['tagId="x"', ''],
      ['patch="false"', '']
    ] as const) {
      assert.throws(() => read(one, IDENTITY.replace(from, to)), XmlFault, to)
    }
    for (const [from, to] of [
      ['product="GH100"', 'product="LS10"'],
      ['PayloadType="direct"', 'PayloadType="indirect"'],
      ['t:BindingSpec="RIMIM"', 'BindingSpec="RIMIM"'],
      ['colloquialVersion="1.2"', ''],
      ['colloquialVersion="1.2"', 'colloquialVersion=""'],
      ['colloquialVersion="1.2"', 'colloquialVersion="1 2"']
    ] as const) {
      assert.throws(() => read(one, IDENTITY, META.replace(from, to)), XmlFault, to)
    }
    assert.throws(() => read(one, IDENTITY, META, ['<Link/>', '']), XmlFault)
    assert.throws(() => read(one, IDENTITY, META, ['', one]), XmlFault)
    assert.throws(() => read(''), XmlFault)
    assert.throws(() => read(payload(resource()).replace('<Payload>', '<Payload x="1">')), XmlFault)
    read(one)
  })

  it('refuses measurements that are not as NVIDIA writes them', () => {
    const wrong: Record<string, Resource> = {
      'another element': { name: 'File' },
      'another namespace': { name: 'h:Resource' },
      'another type': { type: 'Blob' },
      'no number': { index: 'x' },
      'a negative number': { index: '-1' },
      'a number with zeros before it': { index: '01' },
      'too large a number': { index: '256' },
      'neither True nor False': { active: 'true' },
      'no alternative': { hashes: [] },
      'fewer digests than said': { alternatives: '2' },
      'more digests than said': { alternatives: '1', hashes: [digest('aa'), digest('bb')] },
      'too many alternatives': { hashes: Array.from({ length: 65 }, () => digest('aa')) },
      'a short digest': { hashes: ['aa'.repeat(47)] },
      'a digest in capitals': { hashes: [digest('AA')] },
      'another size': { size: '32' },
      'an attribute more': { more: 'x="1"' }
    }
    for (const [what, parts] of Object.entries(wrong)) {
      assert.throws(() => read(payload(resource({ index: '9' }), resource(parts))), XmlFault, what)
    }
    read(payload(resource({ hashes: Array.from({ length: 64 }, () => digest('aa')) })))
  })

  it('refuses an index twice, none to compare, and too many', () => {
    assert.throws(() => read(payload(resource(), resource())), XmlFault)
    assert.throws(() => read(payload(resource(), resource({ active: 'False' }))), XmlFault)
    assert.throws(() => read(payload(resource({ active: 'False' }))), XmlFault)
    assert.throws(() => read(payload()), XmlFault)
    const many = Array.from({ length: 257 }, (_, i) => resource({ index: String(i % 256) }))
    assert.throws(() => read(payload(...many)), /257 measurements/)
    assert.equal(read(payload(...many.slice(0, 256))).golden.size, 256)
  })
})
