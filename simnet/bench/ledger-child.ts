import { withBooks } from './accept.ts'

// node ledger-child.js <folder>: opens the books there as a provider does when it starts, and says how long it took.

const [folder = ''] = process.argv.slice(2)
const before = process.memoryUsage().rss
const startMs = performance.now()
await withBooks(folder, async ({ payee }) => {
  await payee.start()
  const openMs = performance.now() - startMs
  const { rss } = process.memoryUsage()
  console.log(JSON.stringify({ channels: payee.list().length, openMs, rssBytes: rss, addedBytes: rss - before }))
})
