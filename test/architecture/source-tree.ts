import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { type ParseResult, parseSync, Visitor } from 'oxc-parser'
import { projectRoot } from '../support/shared-data.ts'

type Program = ParseResult['program']

/** One import of a source file, whatever its form: static, dynamic, type-only, `import('…')` types, re-exports. */
export interface ImportEdge {
  /** The importing file, relative to the project's root, with `/`. */
  from: string
  /** What is written, or undefined where it is computed and so cannot be judged. */
  specifier: string | undefined
  /** The imported file for a relative specifier, the package's name for others. */
  to: { file: string } | { packageName: string } | undefined
  typeOnly: boolean
}

/** The TypeScript sources of the project's folders, relative to its root, generated ones left out. */
export function listSources(...folders: string[]): string[] {
  const root = projectRoot()
  return folders
    .flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name => join(folder, name))
    )
    .map(name => name.split(sep).join('/'))
    .filter(name => name.endsWith('.ts') && !name.startsWith('src/wire/generated/'))
    .toSorted()
}

export function readSource(file: string): string {
  return readFileSync(join(projectRoot(), file), 'utf8')
}

export function parseSource(file: string, text: string): Program {
  const { program, errors } = parseSync(file, text)
  if (errors[0] !== undefined) {
    throw new Error(`${file}: ${errors[0].message}`)
  }
  return program
}

/** Every import of a file's text. */
export function importsOf(file: string, text: string): ImportEdge[] {
  const edges: ImportEdge[] = []
  const add = (specifier: unknown, typeOnly: boolean): void => {
    const written = typeof specifier === 'string' ? specifier : undefined
    edges.push({ from: file, specifier: written, to: target(file, written), typeOnly })
  }
  new Visitor({
    ImportDeclaration(node) {
      const named = node.specifiers
      const allTypes =
        named.length > 0 && named.every(entry => entry.type === 'ImportSpecifier' && entry.importKind === 'type')
      add(node.source.value, node.importKind === 'type' || allTypes)
    },
    ExportNamedDeclaration(node) {
      if (node.source !== null) {
        const allTypes = node.specifiers.length > 0 && node.specifiers.every(entry => entry.exportKind === 'type')
        add(node.source.value, node.exportKind === 'type' || allTypes)
      }
    },
    ExportAllDeclaration(node) {
      add(node.source.value, node.exportKind === 'type')
    },
    ImportExpression(node) {
      add(literal(node.source), false)
    },
    TSImportType(node) {
      add(node.source.value, true)
    },
    TSExternalModuleReference(node) {
      add(node.expression.value, false)
    },
    CallExpression({ callee, arguments: [first] }) {
      // Other doors to a module.
      const isRequire = callee.type === 'Identifier' && ['require', 'createRequire'].includes(callee.name)
      if (isRequire || isMetaResolve(callee)) {
        add(literal(first), false)
      }
    }
  }).visit(parseSource(file, text))
  return edges
}

/** Every source that `entry` loads or names, itself included, and all their imports. */
export function importClosure(entry: string, read: (file: string) => string): { files: string[]; edges: ImportEdge[] } {
  const files = new Set([entry])
  const edges: ImportEdge[] = []
  for (const file of files) {
    for (const edge of importsOf(file, read(file))) {
      edges.push(edge)
      if (edge.to !== undefined && 'file' in edge.to) {
        files.add(edge.to.file)
      }
    }
  }
  return { files: [...files].toSorted(), edges }
}

function isMetaResolve(callee: { type: string; object?: { type: string }; property?: { type: string } }): boolean {
  const { property } = callee
  return (
    callee.object?.type === 'MetaProperty' &&
    property !== undefined &&
    'name' in property &&
    property.name === 'resolve'
  )
}

function target(file: string, specifier: string | undefined): ImportEdge['to'] {
  if (specifier === undefined) {
    return undefined
  }
  if (specifier.startsWith('.')) {
    return { file: posix.normalize(posix.join(dirname(file), specifier)) }
  }
  if (specifier.startsWith('/') || specifier.startsWith('file:')) {
    return { file: relative(projectRoot(), specifier) }
  }
  const [scope = '', name = ''] = specifier.split('/')
  return { packageName: scope.startsWith('@') ? `${scope}/${name}` : scope }
}

function literal(node: { type: string; value?: unknown } | undefined): unknown {
  return node?.type === 'Literal' ? node.value : undefined
}
