// Installs the dependencies when they are missing or are not those of package-lock.json. Plain JavaScript
// without dependencies: it runs on a fresh clone.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const PROGRESS_EVERY_MS = 3000

/** A step of the set-up failed; `message` is all that the user needs. */
export class SetupError extends Error {}

/** Runs `npm ci` unless the installed packages are exactly those of `package-lock.json`. */
export async function ensureDependencies() {
  const wanted = lockedPackages(join(root, 'package-lock.json'))
  if (wanted === undefined) {
    throw new SetupError(
      'package-lock.json is missing or not valid JSON: restore it with "git checkout package-lock.json"'
    )
  }
  if (!isInstalled(wanted)) {
    await install(wanted)
  }
}

/** npm writes `node_modules/.package-lock.json` last, so an interrupted install does not count as one. */
function isInstalled(wanted) {
  const installed = lockedPackages(join(root, 'node_modules/.package-lock.json'))
  if (installed === undefined) {
    return false
  }
  return Object.entries(wanted).every(([path, entry]) => {
    const found = installed[path]
    // Packages of other platforms are locked as optional and left out.
    return found === undefined
      ? entry.optional === true || entry.devOptional === true
      : found.version === entry.version && found.integrity === entry.integrity
  })
}

async function install(wanted) {
  const libcName = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  const paths = Object.keys(wanted).filter(path => fitsPlatform(wanted[path], libcName))
  console.log(`Installing ${paths.length} packages with npm ci (once; about 1 GB on disk, 1 to 3 minutes)`)
  const startMs = Date.now()
  const seconds = () => `${Math.round((Date.now() - startMs) / 1000)} s`
  const progress = setInterval(() => {
    const done = paths.filter(path => existsSync(join(root, path, 'package.json'))).length
    const what = done === 0 ? 'reading the registry' : `${done} of ${paths.length} packages unpacked`
    console.log(`  ${seconds()}: ${what}`)
  }, PROGRESS_EVERY_MS)
  try {
    await npmCi()
  } finally {
    clearInterval(progress)
  }
  console.log(`Installed in ${seconds()}`)
}

/**
 * `--include=dev` because `NODE_ENV=production` would leave the compiler out; `--ignore-scripts` because no
 * dependency needs its install script: native parts come ready-made in registry packages.
 */
function npmCi() {
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath ?? ''
  // `npm start` tells which npm runs it; another package manager would say another name.
  const useOwn = /^npm-cli\.c?js$/.test(basename(npm)) && existsSync(npm)
  const child = useOwn
    ? spawn(process.execPath, [npm, ...args], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    : spawn('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], shell: process.platform === 'win32' })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', err => {
      reject(new SetupError(`npm could not be started (${err.message}): install Node.js with npm`))
    })
    child.on('close', (code, signal) => {
      if (code === 0) {
        resolve()
      } else {
        reject(new SetupError(installFailure(said, signal ?? `exit code ${code}`)))
      }
    })
  })
}

function installFailure(said, ending) {
  const lines = said
    .split('\n')
    .filter(line => /^npm (?:error|ERR!)/.test(line))
    .map(line => line.replace(/^npm (?:error|ERR!)\s*(?:network )?/, ''))
  const code = lines.find(line => line.startsWith('code '))?.slice('code '.length) ?? ending
  const reason = lines.find(line => line !== '' && !/^(?:code|errno|syscall|path|A complete log)\b/.test(line)) ?? ''
  const detail = `npm ci failed with ${code}${reason === '' ? '' : ` (${reason})`}`
  const advice =
    code === 'EUSAGE'
      ? 'package-lock.json does not fit package.json: run "npm install"'
      : "Check the network and npm's registry and proxy settings, then run the same command again"
  return `Could not install the dependencies: ${detail.replace(/\.?\)$/, ')')}. ${advice}`
}

/** Packages of a lock file by path, without the project itself; undefined if there is no readable one. */
function lockedPackages(file) {
  try {
    const { '': _project, ...packages } = JSON.parse(readFileSync(file, 'utf8')).packages
    return packages
  } catch {
    return undefined
  }
}

/** Whether npm unpacks a locked package here. Optional ones without a platform are npm's choice: not counted. */
function fitsPlatform({ os, cpu, libc, optional }, libcName) {
  return (
    matches(os, process.platform) &&
    matches(cpu, process.arch) &&
    matches(libc, libcName) &&
    !(optional === true && os === undefined && cpu === undefined)
  )
}

function matches(allowed, actual) {
  if (allowed === undefined) {
    return true
  }
  const names = allowed.filter(name => !name.startsWith('!'))
  return !allowed.includes(`!${actual}`) && (names.length === 0 || names.includes(actual))
}
