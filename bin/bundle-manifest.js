// Which compiled files the enclave program is made of, and which packages it may load: `enclave/bundle.json` beside it.
// Plain JavaScript without dependencies: the build writes it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

const ENTRY = 'enclave/main.js'
const IMPORTS = [
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'/gm,
  /^\s*import\s*'([^']+)'/gm,
  /\bimport\(\s*'([^']+)'\s*\)/g
]

/**
 * Writes the list for the sources compiled to `sources`, unless they hold no enclave program.
 *
 * @param lockFile package-lock.json
 */
export function writeBundleManifest(sources, lockFile) {
  if (existsSync(join(sources, ENTRY))) {
    const { files, packages } = importClosure(sources)
    const text = `${JSON.stringify({ files, packages: lockedPackages(lockFile, packages) }, null, 1)}\n`
    const manifest = join(sources, 'enclave/bundle.json')
    if (!existsSync(manifest) || readFileSync(manifest, 'utf8') !== text) {
      writeFileSync(manifest, text)
    }
  }
}

/** Files that the entry loads, now or later, and the packages that those name. */
function importClosure(sources) {
  const files = new Set([ENTRY])
  const packages = new Set()
  for (const file of files) {
    const code = readFileSync(join(sources, file), 'utf8')
    for (const specifier of IMPORTS.flatMap(pattern => [...code.matchAll(pattern)].map(match => match[1]))) {
      if (specifier.startsWith('.')) {
        files.add(posix.join(dirname(file), specifier))
      } else if (!specifier.startsWith('node:')) {
        const [scope, name] = specifier.split('/')
        packages.add(scope.startsWith('@') ? `${scope}/${name}` : scope)
      }
    }
  }
  return { files: [...files].sort(), packages: [...packages].sort() }
}

/** Those packages and all that they depend on, as the lock file has them, on every platform. */
function lockedPackages(lockFile, names) {
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'))
  const paths = new Set(names.map(name => lockedPath(packages, '', name)))
  for (const path of paths) {
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {}
    } = packages[path]
    const peers = Object.keys(peerDependencies).filter(name => peerDependenciesMeta[name]?.optional !== true)
    for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]) {
      paths.add(lockedPath(packages, path, name))
    }
  }
  return [...paths]
    .sort()
    .map(path => ({ path, version: packages[path].version, integrity: packages[path].integrity ?? '-' }))
}

/** Where Node.js finds a package that the package at `from` asks for. */
function lockedPath(packages, from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = posix.join(at, 'node_modules', name)
    if (packages[path] !== undefined) {
      return path
    }
    if (at === '') {
      throw new Error(`${name}, which ${from === '' ? 'the enclave program' : from} needs, is not in package-lock.json`)
    }
  }
}
