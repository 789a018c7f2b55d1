/** Why XML was refused; the reader of golden measurements turns it into a coded error. */
export class XmlFault extends Error {}

export interface XmlAttribute {
  /** As written: `name` or `prefix:name`. */
  readonly written: string
  /** Empty without a prefix. */
  readonly namespace: string
  readonly name: string
  readonly value: string
}

export interface XmlElement {
  /** As written: `name` or `prefix:name`. */
  readonly written: string
  readonly namespace: string
  readonly name: string
  readonly attributes: readonly XmlAttribute[]
  /** Namespaces declared here, by prefix; the default one has the empty prefix. */
  readonly declarations: ReadonlyMap<string, string>
  readonly children: ReadonlyArray<XmlElement | string>
}

const MAX_DEPTH = 8
const MAX_ELEMENTS = 2048
const MAX_ATTRIBUTES = 128
const DECLARATION = /^<\?xml version="1\.0" encoding="UTF-8"(?: standalone="(?:yes|no)")?\?>\n?/
const NAME = '[A-Za-z_][A-Za-z0-9_.-]*'
const OPEN = new RegExp(`<(${NAME}(?::${NAME})?)`, 'y')
const ATTRIBUTE = new RegExp(`[ \\n]+(${NAME}(?::${NAME})?)="([^"<>&\\n]*)"`, 'y')
const OPEN_END = /[ \n]*(\/?)>/y
const CLOSE = new RegExp(`</(${NAME}(?::${NAME})?)[ \\n]*>`, 'y')
const TEXT = /[^<>&]+/y

type Scope = ReadonlyMap<string, string>

/**
 * Reads a small part of XML 1.0 with namespaces, so that it has one reading and an easy canonical form: printable ASCII
 * and line feeds; elements, attributes in double quotes, text. No references, comments, instructions, CDATA or document
 * type; no `xml:` attributes; a prefix is declared once on the way to an element.
 *
 * @throws {XmlFault}
 */
export function parseXml(text: string): XmlElement {
  if (!/^[\n\x20-\x7e]*$/.test(text)) {
    throw new XmlFault('it is not printable ASCII')
  }
  const reader = new XmlReader(text, DECLARATION.exec(text)?.[0].length ?? 0)
  const root = reader.element(new Map(), 0)
  reader.expectEnd()
  return root
}

class XmlReader {
  readonly #text: string
  #offset: number
  #elements = 0

  constructor(text: string, offset: number) {
    this.#text = text
    this.#offset = offset
  }

  expectEnd(): void {
    if (!/^\n*$/.test(this.#text.slice(this.#offset))) {
      throw new XmlFault(`something follows the root element at ${this.#offset}`)
    }
  }

  element(outer: Scope, depth: number): XmlElement {
    this.#elements += 1
    if (depth === MAX_DEPTH || this.#elements > MAX_ELEMENTS) {
      throw new XmlFault(`it has more than ${MAX_ELEMENTS} elements or ${MAX_DEPTH} levels`)
    }
    const [, written = ''] = this.#expect(OPEN, 'an element')
    const { declarations, plain } = this.#attributes(outer)
    const scope = new Map([...outer, ...declarations])
    const head = { written, ...resolve(written, scope, true), attributes: named(plain, scope), declarations }
    const [, empty] = this.#expect(OPEN_END, 'the end of a tag')
    return { ...head, children: empty === '/' ? [] : this.#content(written, scope, depth) }
  }

  #content(written: string, scope: Scope, depth: number): Array<XmlElement | string> {
    const children: Array<XmlElement | string> = []
    for (;;) {
      const text = this.#match(TEXT)
      if (text !== undefined) {
        children.push(text[0])
      }
      const close = this.#match(CLOSE)
      if (close === undefined) {
        children.push(this.element(scope, depth + 1))
      } else if (close[1] === written) {
        return children
      } else {
        throw new XmlFault(`${written} is closed by ${close[1]}`)
      }
    }
  }

  #attributes(outer: Scope): { declarations: Map<string, string>; plain: Array<[string, string]> } {
    const declarations = new Map<string, string>()
    const plain: Array<[string, string]> = []
    for (let found = this.#match(ATTRIBUTE); found !== undefined; found = this.#match(ATTRIBUTE)) {
      const [, written = '', value = ''] = found
      const prefix = written === 'xmlns' ? '' : written.startsWith('xmlns:') ? written.slice(6) : undefined
      if (prefix === undefined) {
        plain.push([written, value])
      } else if (prefix.startsWith('xml') || !/^[^ ]+$/.test(value) || outer.has(prefix) || declarations.has(prefix)) {
        throw new XmlFault(`the namespace prefix ${JSON.stringify(prefix)} is declared twice, or may not be`)
      } else {
        declarations.set(prefix, value)
      }
      if (plain.length + declarations.size > MAX_ATTRIBUTES) {
        throw new XmlFault(`an element has more than ${MAX_ATTRIBUTES} attributes`)
      }
    }
    return { declarations, plain }
  }

  #expect(pattern: RegExp, what: string): RegExpExecArray {
    const found = this.#match(pattern)
    if (found === undefined) {
      throw new XmlFault(`it lacks ${what} at ${this.#offset}`)
    }
    return found
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#offset
    const found = pattern.exec(this.#text) ?? undefined
    this.#offset += found?.[0].length ?? 0
    return found
  }
}

function named(plain: ReadonlyArray<readonly [string, string]>, scope: Scope): XmlAttribute[] {
  const attributes = plain.map(([written, value]) => ({ written, ...resolve(written, scope, false), value }))
  if (new Set(attributes.map(({ namespace, name }) => `${namespace} ${name}`)).size !== attributes.length) {
    throw new XmlFault('an element has an attribute twice')
  }
  return attributes
}

function resolve(written: string, scope: Scope, isElement: boolean): { namespace: string; name: string } {
  const colon = written.indexOf(':')
  if (colon < 0) {
    return { namespace: isElement ? (scope.get('') ?? '') : '', name: written }
  }
  const namespace = scope.get(written.slice(0, colon))
  if (namespace === undefined) {
    throw new XmlFault(`the prefix of ${written} is not declared`)
  }
  return { namespace, name: written.slice(colon + 1) }
}
