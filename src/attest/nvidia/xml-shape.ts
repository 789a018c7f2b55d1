import { type XmlElement, XmlFault } from './xml.ts'

/** The child elements, in order; between them only white space. @throws {XmlFault} */
export function childElements(element: XmlElement): XmlElement[] {
  return element.children.flatMap(child => {
    if (typeof child !== 'string') {
      return [child]
    }
    if (!/^[ \n]*$/.test(child)) {
      throw new XmlFault(`${element.written} has text among its elements`)
    }
    return []
  })
}

/**
 * The child elements, which must be exactly these of one namespace in this order.
 *
 * @throws {XmlFault}
 */
export function exactChildren<const Names extends readonly string[]>(
  element: XmlElement,
  namespace: string,
  names: Names
): { readonly [Index in keyof Names]: XmlElement } {
  const children = childElements(element)
  const fits =
    children.length === names.length &&
    children.every((child, index) => child.name === names[index] && child.namespace === namespace)
  if (!fits) {
    throw new XmlFault(
      `${element.written} has ${children.map(({ written }) => written).join(', ')}: expected ${names.join(', ')}`
    )
  }
  return children as unknown as { readonly [Index in keyof Names]: XmlElement }
}

/** The text of an element without children. @throws {XmlFault} */
export function onlyText(element: XmlElement): string {
  const [text = '', ...rest] = element.children
  if (typeof text !== 'string' || rest.length > 0) {
    throw new XmlFault(`${element.written} holds more than text`)
  }
  return text
}

/** Attributes without a namespace by name; others as `{namespace}name`. */
export function attributesOf(element: XmlElement): Map<string, string> {
  return new Map(
    element.attributes.map(({ namespace, name, value }) => [namespace === '' ? name : `{${namespace}}${name}`, value])
  )
}

/** @throws {XmlFault} unless the element has exactly these attributes and values */
export function expectAttributes(element: XmlElement, expected: Readonly<Record<string, string>>): void {
  const found = attributesOf(element)
  const names = Object.keys(expected)
  if (found.size !== names.length || names.some(name => found.get(name) !== expected[name])) {
    throw new XmlFault(`${element.written} does not have the attributes it should`)
  }
}

/** Base64 in its one form but for white space. @throws {XmlFault} */
export function base64(text: string): Uint8Array {
  const dense = text.replace(/[ \n]/g, '')
  const bytes = Buffer.from(dense, 'base64')
  if (dense === '' || bytes.toString('base64') !== dense) {
    throw new XmlFault('a text in it is not canonical base64')
  }
  return new Uint8Array(bytes)
}
