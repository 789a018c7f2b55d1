// The command line of the build this test belongs to, as a program.
import { main } from '../../src/cli/main.ts'

process.exitCode = await main(process.argv.slice(2))
