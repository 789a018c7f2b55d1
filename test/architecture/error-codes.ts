import { type Argument, type Node, type Program, Visitor } from 'oxc-parser'
import { parseSource } from './source-tree.ts'

/** A code that a source file gives to an error. */
export interface ThrownCode {
  code: string
  /** The class as the source tells it: `usage`, or undefined where it is computed. */
  errorClass: string | undefined
  file: string
}

const CODE = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/

/** Error classes of `src/core/errors.ts`; subclasses found in the sources are added to them. */
const BASES: Readonly<Record<string, string | undefined>> = {
  CocoonError: undefined,
  WireError: undefined,
  UsageError: 'usage',
  EnvironmentError: 'environment',
  NetworkError: 'network',
  PeerError: 'peer',
  AttestationError: 'attestation',
  MoneyError: 'money',
  CancelledError: 'cancelled'
}

/** Every code that the sources give to an error: `new XError('CODE', …)` and `super('CODE', …)` in a subclass of one. */
export function thrownCodes(sources: ReadonlyArray<{ file: string; text: string }>): ThrownCode[] {
  const programs = sources.map(({ file, text }) => ({ file, program: parseSource(file, text) }))
  const classes = new Map(Object.entries(BASES))
  // A subclass may come before its base in the list of files.
  for (let known = 0; known !== classes.size; ) {
    known = classes.size
    for (const { program } of programs) {
      new Visitor({
        ClassDeclaration({ id, superClass }) {
          if (
            id !== null &&
            superClass?.type === 'Identifier' &&
            classes.has(superClass.name) &&
            !classes.has(id.name)
          ) {
            classes.set(id.name, classes.get(superClass.name))
          }
        }
      }).visit(program)
    }
  }
  return programs.flatMap(({ file, program }) => codesOf(file, program, classes))
}

function codesOf(file: string, program: Program, classes: ReadonlyMap<string, string | undefined>): ThrownCode[] {
  const found: ThrownCode[] = []
  const constants = constantsOf(program)
  const bases: Array<string | undefined> = []
  const add = (className: string, args: readonly Argument[]): void => {
    if (!classes.has(className)) {
      return
    }
    // CocoonError and WireError take their class first.
    const [first, second] = args
    const takesClass = ['CocoonError', 'WireError'].includes(className)
    const classNode = takesClass ? first : undefined
    const stated = classNode?.type === 'Literal' && typeof classNode.value === 'string' ? classNode.value : undefined
    for (const code of codesIn(takesClass ? second : first, constants)) {
      found.push({ code, errorClass: takesClass ? stated : classes.get(className), file })
    }
  }
  new Visitor({
    NewExpression({ callee, arguments: args }) {
      if (callee.type === 'Identifier') {
        add(callee.name, args)
      }
    },
    ClassDeclaration({ superClass }) {
      bases.push(superClass?.type === 'Identifier' ? superClass.name : undefined)
    },
    'ClassDeclaration:exit'() {
      bases.pop()
    },
    CallExpression({ callee, arguments: args }) {
      const base = bases.at(-1)
      if (callee.type === 'Super' && base !== undefined) {
        add(base, args)
      }
    }
  }).visit(program)
  return found
}

/** The initializers of a file's constants by name, wherever they are declared. */
function constantsOf(program: Program): ReadonlyMap<string, Node> {
  const constants = new Map<string, Node>()
  new Visitor({
    VariableDeclarator({ id, init }) {
      if (id.type === 'Identifier' && init !== null) {
        constants.set(id.name, init)
      }
    }
  }).visit(program)
  return constants
}

/** The codes an expression can be: literals in it, sides of conditions, values of the tables and constants it names. */
function codesIn(node: Node | null | undefined, constants: ReadonlyMap<string, Node>): string[] {
  switch (node?.type) {
    case 'Literal':
      return typeof node.value === 'string' && CODE.test(node.value) ? [node.value] : []
    case 'ConditionalExpression':
      return [...codesIn(node.consequent, constants), ...codesIn(node.alternate, constants)]
    case 'LogicalExpression':
      return [...codesIn(node.left, constants), ...codesIn(node.right, constants)]
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return codesIn(node.expression, constants)
    case 'MemberExpression':
      return codesIn(node.object, constants)
    case 'ObjectExpression':
      return node.properties.flatMap(entry => (entry.type === 'Property' ? codesIn(entry.value, constants) : []))
    case 'Identifier': {
      const others = new Map(constants)
      others.delete(node.name)
      return codesIn(constants.get(node.name), others)
    }
    default:
      return []
  }
}

/** Codes that comments promise: every `CODE` in backquotes of a `@throws` tag, however many lines it takes. */
export function promisedCodes(text: string): string[] {
  const codes: string[] = []
  for (const [comment] of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const tags = comment.replaceAll(/^\s*\* ?/gm, '').split(/(?=@\w+)/)
    for (const tag of tags.filter(part => part.startsWith('@throws'))) {
      codes.push(...[...tag.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, code = '']) => code))
    }
  }
  return codes
}

/** A row of the table in `docs/errors.md`. */
export interface DocumentedCode {
  code: string
  errorClass: string
  meaning: string
  whatToDo: string
}

/** Rows `| code | class | meaning | what to do |` of a page, whatever tables they stand in. */
export function documentedCodes(page: string): DocumentedCode[] {
  return page.split('\n').flatMap(line => {
    const cells = line.split(/(?<!\\)\|/).map(cell => cell.trim())
    const [, code = '', errorClass = '', meaning = '', whatToDo = ''] = cells
    return cells.length === 6 && /^`[A-Z0-9_]+`$/.test(code)
      ? [{ code: code.slice(1, -1), errorClass, meaning, whatToDo }]
      : []
  })
}
