import type { XmlElement } from './xml.ts'

/**
 * Canonical XML 1.1 without comments, for what {@link parseXml} lets pass: there, nothing needs to be escaped, no
 * declaration is superfluous and no `xml:` attribute is inherited. What is left is the order of attributes, the white
 * space inside tags, and elements without content.
 *
 * @param outer namespaces in scope around `element`, for a part of a document
 * @param without an element to leave out with all in it
 */
export function canonicalXml(
  element: XmlElement,
  outer: ReadonlyMap<string, string> = new Map(),
  without?: XmlElement
): string {
  const declarations = [...outer, ...element.declarations].sort(byText(([prefix]) => prefix))
  const attributes = [...element.attributes].sort(byText(({ namespace, name }) => `${namespace} ${name}`))
  const head = [
    element.written,
    ...declarations.map(([prefix, uri]) => `xmlns${prefix === '' ? '' : `:${prefix}`}="${uri}"`),
    ...attributes.map(({ written, value }) => `${written}="${value}"`)
  ].join(' ')
  const content = element.children
    .filter(child => child !== without)
    .map(child => (typeof child === 'string' ? child : canonicalXml(child, undefined, without)))
  return `<${head}>${content.join('')}</${element.written}>`
}

// All is ASCII here, so that the order of UTF-16 units is that of code points.
function byText<T>(key: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : 1)
}
