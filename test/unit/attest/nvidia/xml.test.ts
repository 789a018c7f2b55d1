import assert from 'node:assert/strict'
import { canonicalXml } from '../../../../src/attest/nvidia/canonical-xml.ts'
import { parseXml, XmlFault } from '../../../../src/attest/nvidia/xml.ts'

const canonical = (text: string): string => canonicalXml(parseXml(text))

describe('the part of XML that is read', () => {
  it('resolves names and namespaces', () => {
    const root = parseXml('<a xmlns="urn:x" xmlns:p="urn:y" k="1"><p:b p:k="2" k="3"/>text<c/></a>')
    assert.equal(root.namespace, 'urn:x')
    assert.deepEqual(root.attributes, [{ written: 'k', namespace: '', name: 'k', value: '1' }])
    const [b, text, c] = root.children
    assert.ok(typeof b === 'object' && typeof c === 'object')
    assert.deepEqual([b.namespace, b.name, c.namespace, text], ['urn:y', 'b', 'urn:x', 'text'])
    assert.deepEqual(
      b.attributes.map(({ namespace }) => namespace),
      ['urn:y', '']
    )
  })

  it('lets an XML declaration and empty lines at the end pass', () => {
    assert.equal(canonical('<?xml version="1.0" encoding="UTF-8"?>\n<a/>\n\n'), '<a></a>')
    assert.equal(canonical('<?xml version="1.0" encoding="UTF-8" standalone="no"?><a/>'), '<a></a>')
  })

  it('refuses everything else', () => {
    const refused = [
      '',
      'a',
      '<a>',
      '</a>',
      '<a></b>',
      '<a></a',
      '<a/><b/>',
      '<a/>x',
      ' <a/>',
      '<a/> ',
      '<!DOCTYPE a><a/>',
      '<!DOCTYPE a [<!ENTITY e "x">]><a/>',
      '<a><!-- --></a>',
      '<a><![CDATA[x]]></a>',
      '<a><?pi?></a>',
      '<a>&amp;</a>',
      '<a>&#65;</a>',
      '<a>></a>',
      '<a k="&lt;"/>',
      '<a k="<"/>',
      '<a k=">"/>',
      "<a k='1'/>",
      '<a k=1/>',
      '<a k/>',
      '<a k ="1"/>',
      '<a k="1"l="2"/>',
      '<a k="1" k="2"/>',
      '<a k="1\n"/>',
      '<a k="\t"/>',
      '<a>\t</a>',
      '<a>\r\n</a>',
      '<a>é</a>',
      '<a>\u0000</a>',
      '< a/>',
      '<a / >',
      '<1a/>',
      '<p:a/>',
      '<a p:k="1"/>',
      '<a xml:space="preserve"/>',
      '<a xmlns:xml="http://www.w3.org/XML/1998/namespace"/>',
      '<a xmlns:xmlns="urn:x"/>',
      '<a xmlns=""/>',
      '<a xmlns:p=""/>',
      '<a xmlns:p="a b"/>',
      '<a xmlns:p="urn:x" xmlns:p="urn:x"/>',
      '<a xmlns:p="urn:x"><b xmlns:p="urn:x"/></a>',
      '<a xmlns:p="urn:x"><b xmlns:p="urn:y"/></a>',
      '<a xmlns:p="urn:x" xmlns:q="urn:x" p:k="1" q:k="2"/>',
      '<a:b:c xmlns:a="urn:x"/>',
      '<?xml version="1.1" encoding="UTF-8"?><a/>',
      '<?xml version="1.0" encoding="UTF-16"?><a/>',
      `${'<a>'.repeat(9)}${'</a>'.repeat(9)}`,
      `<a>${'<b/>'.repeat(2048)}</a>`,
      `<a ${Array.from({ length: 129 }, (_, i) => `k${i}="1"`).join(' ')}/>`
    ]
    for (const text of refused) {
      assert.throws(() => parseXml(text), XmlFault, text.slice(0, 60))
    }
    parseXml(`${'<a>'.repeat(8)}${'</a>'.repeat(8)}`)
    parseXml(`<a>${'<b/>'.repeat(2047)}</a>`)
    parseXml(`<a ${Array.from({ length: 128 }, (_, i) => `k${i}="1"`).join(' ')}/>`)
  })

  it('takes time in proportion to its size', () => {
    const started = performance.now()
    for (const text of [
      '<a',
      ' '.repeat(200_000),
      '<a '.repeat(60_000),
      `<a k="${'x'.repeat(200_000)}`,
      '\n'.repeat(200_000)
    ]) {
      assert.throws(() => parseXml(text), XmlFault)
    }
    assert.ok(performance.now() - started < 1000)
  })
})

describe('canonical XML', () => {
  it('closes empty elements, drops white space in tags, keeps that between them', () => {
    assert.equal(canonical('<a  k="1"\n l="2"  ><b/>\n  <c ></c\n></a>'), '<a k="1" l="2"><b></b>\n  <c></c></a>')
  })

  it('sorts namespaces by prefix, before attributes by namespace and name', () => {
    assert.equal(
      canonical('<a z="1" q:b="2" p:c="3" xmlns:q="urn:1" xmlns="urn:3" p:a="4" a="5" xmlns:p="urn:2"/>'),
      '<a xmlns="urn:3" xmlns:p="urn:2" xmlns:q="urn:1" a="5" z="1" q:b="2" p:a="4" p:c="3"></a>'
    )
  })

  it('puts the namespaces in scope on a part of a document', () => {
    const root = parseXml('<a xmlns="urn:x" xmlns:p="urn:y"><p:b xmlns:o="urn:o"><c/></p:b></a>')
    const [b] = root.children
    assert.ok(typeof b === 'object')
    assert.equal(canonicalXml(b, root.declarations), '<p:b xmlns="urn:x" xmlns:o="urn:o" xmlns:p="urn:y"><c></c></p:b>')
  })

  it('leaves one element out, and nothing around it', () => {
    const root = parseXml('<a>\n<b>1</b>\n<b>1</b> </a>')
    const [, second] = root.children.filter(child => typeof child === 'object')
    assert.ok(second !== undefined)
    assert.equal(canonicalXml(root, undefined, second), '<a>\n<b>1</b>\n </a>')
  })
})
