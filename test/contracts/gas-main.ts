// npm run gas               measures every message and writes the tables of contracts/README.md and docs/payments.md
// npm run gas -- --check    measures, writes nothing, and fails where a page is stale
// npm run gas -- --pin      compiles contracts/channel.tolk and writes src/ton/channel-code.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { findUp } from './find-up.ts'
import { measureChannel } from './gas-measure.ts'
import { ANNOUNCED_DIVISOR, GAS_PAGES, gasTable, stalePages, withGasTable } from './gas-table.ts'
import { compileChannel, PINNED_FILE, pinnedModule } from './pin-channel.ts'

const [option, ...rest] = process.argv.slice(2)
if (rest.length > 0 || ![undefined, '--check', '--pin'].includes(option)) {
  console.error(`"${process.argv.slice(2).join(' ')}" is no option of this task: expected none, --check or --pin`)
  process.exitCode = 2
} else if (option === '--pin') {
  await pin()
} else {
  await tables(option === '--check')
}

async function pin(): Promise<void> {
  const code = await compileChannel()
  writeFileSync(findUp(PINNED_FILE), pinnedModule(code))
  console.log(`${PINNED_FILE} pins ${code.hash}: now run "npm run gas"`)
}

async function tables(checkOnly: boolean): Promise<void> {
  const table = gasTable(await measureChannel(), await measureChannel(ANNOUNCED_DIVISOR))
  console.log(table)
  const stale = stalePages(table)
  if (checkOnly && stale.length > 0) {
    console.error(`${stale.join(' and ')} show another table: run "npm run gas"`)
    process.exitCode = 1
    return
  }
  for (const path of stale) {
    writeFileSync(findUp(path), withGasTable(readFileSync(findUp(path), 'utf8'), table))
  }
  console.log(stale.length === 0 ? `${GAS_PAGES.join(' and ')} are up to date` : `Wrote ${stale.join(' and ')}`)
}
