import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandOptions } from '../../simnet/command-options.ts'
import { type BuiltBundle, checkedOut, cleanBuild, differences, type Surroundings } from './clean-build.ts'

// Builds a commit twice, from clean clones in folders, locales and time zones that have nothing in common, and compares
// what the enclave program's digest is made of. Ends with 1 if they differ, or are not the digest given.

const { values, refuse } = commandOptions('npm run bundle -- [--check <digest>] [--commit <commit>]', {
  options: { check: { type: 'string' }, commit: { type: 'string' } }
})
if (values.check !== undefined && !/^[0-9a-f]{64}$/.test(values.check)) {
  refuse(`--check ${values.check}: expected 64 lower-case hex digits, as "cocoon-node attest bundle" prints them`)
}
const here = checkedOut()
const commit = values.commit ?? here.commit
if (values.commit === undefined && !here.clean) {
  console.log('The working tree has changes: they are not in what is built here')
}

const folder = mkdtempSync(join(tmpdir(), 'cocoon-bundle-'))
const places: Surroundings[] = [
  { folder: join(folder, 'a'), umask: '022', timeZone: 'UTC', locale: 'C' },
  { folder: join(folder, 'somewhere else', 'ünder'), umask: '077', timeZone: 'Asia/Kathmandu', locale: 'tr_TR.UTF-8' }
]
let builds: BuiltBundle[]
try {
  builds = places.map(place => {
    const startMs = Date.now()
    const built = cleanBuild(commit, place)
    console.log(
      `${built.digest}  commit ${commit.slice(0, 12)}, umask ${place.umask}, ${place.timeZone}, ${place.locale}, ${((Date.now() - startMs) / 1000).toFixed(1)} s`
    )
    return built
  })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const [one, other] = builds as [BuiltBundle, BuiltBundle]
const different = differences(one.listing, other.listing)
if (one.digest !== other.digest) {
  console.error(`The same commit gave two programs:\n${different.join('\n')}`)
  process.exitCode = 1
} else if (values.check !== undefined && values.check !== one.digest) {
  console.error(`This commit gives ${one.digest}: not the digest that was to be checked, ${values.check}`)
  process.exitCode = 1
} else {
  console.log(
    values.check === undefined ? 'The same program both times' : 'The same program both times, and the one given'
  )
}
