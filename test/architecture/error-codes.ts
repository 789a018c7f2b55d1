import { type Argument, type Class, type Node, type Program, Visitor } from 'oxc-parser'
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

/** Constructors whose first argument is the class. */
const TAKES_CLASS = new Set(['CocoonError', 'WireError'])

/** Every code that the sources give to an error: `new XError('CODE', …)` and `super('CODE', …)` in a subclass of one. */
export function thrownCodes(sources: ReadonlyArray<{ file: string; text: string }>): ThrownCode[] {
  const programs = sources.map(({ file, text }) => ({ file, program: parseSource(file, text) }))
  const classes = new Map(Object.entries(BASES))
  // A subclass may come before its base in the list of files.
  for (let known = 0; known !== classes.size; ) {
    known = classes.size
    for (const { program } of programs) {
      new Visitor({
        ClassDeclaration({ id, superClass, body }) {
          if (
            id !== null &&
            superClass?.type === 'Identifier' &&
            classes.has(superClass.name) &&
            !classes.has(id.name)
          ) {
            classes.set(id.name, TAKES_CLASS.has(superClass.name) ? statedClass(body) : classes.get(superClass.name))
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
  const calls = firstArguments(program)
  const functions: string[] = []
  const bases: Array<string | undefined> = []
  const add = (className: string, args: readonly Argument[]): void => {
    if (!classes.has(className)) {
      return
    }
    const [first, second] = args
    const takesClass = TAKES_CLASS.has(className)
    const node = takesClass ? second : first
    for (const code of [...codesIn(node, constants), ...composedCodes(node, functions.at(-1), calls)]) {
      found.push({ code, errorClass: takesClass ? textOf(first) : classes.get(className), file })
    }
  }
  new Visitor({
    NewExpression({ callee, arguments: args }) {
      if (callee.type === 'Identifier') {
        add(callee.name, args)
      }
    },
    FunctionDeclaration({ id }) {
      functions.push(id?.name ?? '')
    },
    'FunctionDeclaration:exit'() {
      functions.pop()
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

/** The texts that a file's calls of each function begin with. */
function firstArguments(program: Program): ReadonlyMap<string, string[]> {
  const calls = new Map<string, string[]>()
  new Visitor({
    CallExpression({ callee, arguments: [first] }) {
      if (callee.type === 'Identifier') {
        calls.set(callee.name, [...(calls.get(callee.name) ?? []), ...codesIn(first, new Map())])
      }
    }
  }).visit(program)
  return calls
}

/** `PREFIX_${cause}` in a function that is called with the causes. */
function composedCodes(node: Node | undefined, enclosing = '', calls: ReadonlyMap<string, string[]>): string[] {
  if (node?.type !== 'TemplateLiteral' || node.expressions.length !== 1) {
    return []
  }
  const [before, after] = node.quasis.map(({ value }) => value.cooked ?? '')
  return (calls.get(enclosing) ?? []).map(cause => `${before}${cause}${after}`)
}

/** The class that a constructor hands to CocoonError or WireError: `super('money', code, …)`. */
function statedClass(body: Class['body']): string | undefined {
  const constructor = body.body.find(member => member.type === 'MethodDefinition' && member.kind === 'constructor')
  const statements = constructor?.type === 'MethodDefinition' ? (constructor.value.body?.body ?? []) : []
  for (const statement of statements) {
    const call = statement.type === 'ExpressionStatement' ? statement.expression : undefined
    if (call?.type === 'CallExpression' && call.callee.type === 'Super') {
      return textOf(call.arguments[0])
    }
  }
  return undefined
}

function textOf(node: Node | undefined): string | undefined {
  return node?.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined
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
