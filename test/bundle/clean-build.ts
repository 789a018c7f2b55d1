import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../support/shared-data.ts'

/** Surroundings that must not matter. */
export interface Surroundings {
  /** Folder to make, with the clone in it. */
  folder: string
  /** In octal digits. */
  umask: string
  timeZone: string
  locale: string
}

/** What a build's enclave program is made of, by that build itself. */
export interface BuiltBundle {
  digest: string
  listing: string
}

/**
 * The commit that is checked out, and whether anything tracked differs from it.
 *
 * @throws {Error} where there is no git, or this is no checkout
 */
export function checkedOut(): { commit: string; clean: boolean } {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: projectRoot(), encoding: 'utf8' }).trim()
  return { commit: git('rev-parse', 'HEAD'), clean: git('status', '--porcelain', '--untracked-files=no') === '' }
}

/**
 * Clones a commit and builds it there, with the packages that are installed here.
 *
 * @throws {Error} if git or the compiler fails
 */
export function cleanBuild(commit: string, { folder, umask, timeZone, locale }: Surroundings): BuiltBundle {
  mkdirSync(folder, { recursive: true })
  const clone = join(folder, 'cocoon-node')
  const env = { PATH: process.env['PATH'], HOME: folder, TZ: timeZone, LANG: locale, LC_ALL: locale }
  const run = (script: string, cwd: string, ...args: string[]): string =>
    execFileSync('/bin/sh', ['-c', `umask ${umask}; ${script}`, 'sh', ...args], { cwd, env, encoding: 'utf8' })
  run(
    'git clone --quiet --no-local --no-checkout "$1" "$2" && git -C "$2" checkout --quiet "$3"',
    folder,
    projectRoot(),
    clone,
    commit
  )
  // Installed packages are those of the lock file: bin/setup.js has seen to it.
  symlinkSync(join(projectRoot(), 'node_modules'), join(clone, 'node_modules'))
  run('"$1" bin/build.js', clone, process.execPath)
  const cli = join(clone, 'bin', 'cocoon-node.js')
  const { digest } = JSON.parse(run('"$1" "$2" attest bundle --json', clone, process.execPath, cli)) as BuiltBundle
  return { digest, listing: run('"$1" "$2" attest bundle --listing', clone, process.execPath, cli) }
}

/** Lines of two listings that only one of them has. */
export function differences(one: string, other: string): string[] {
  const [left, right] = [one, other].map(text => text.split('\n'))
  return [
    ...(left ?? []).filter(line => right?.includes(line) !== true).map(line => `- ${line}`),
    ...(right ?? []).filter(line => left?.includes(line) !== true).map(line => `+ ${line}`)
  ]
}
