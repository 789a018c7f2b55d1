#!/usr/bin/env node
import './node-version.js'
import { existsSync } from 'node:fs'

const compiled = new URL('../dist/src/cli/main.js', import.meta.url)
if (existsSync(compiled)) {
  const { main } = await import(compiled.href)
  process.exitCode = await main(process.argv.slice(2))
} else {
  console.error('cocoon-node is not built yet: run "npm run build" in its folder')
  process.exitCode = 3
}
