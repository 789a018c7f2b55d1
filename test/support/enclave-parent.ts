// A provider's place: starts an enclave, keeps it busy, tells its process id, and waits to be killed.
import { silentLogger } from '../../src/core/logger.ts'
import { spawnEnclave } from '../../src/enclave/index.ts'
import { openAnswer, PROVIDER_PEER_ID, sealQuestion } from './sealed-question.ts'

const [modelPath = ''] = process.argv.slice(2)
const enclave = await spawnEnclave({ modelPath, threads: 1, slots: 1, gpu: 'off', logger: silentLogger })
const { statement } = await enclave.attest({
  peerId: PROVIDER_PEER_ID,
  globalId: -3,
  beaconHeight: 1,
  beaconHash: new Uint8Array(32)
})
let told = false
// Far more than the enclave answers in the second that it has to end in.
const answers = Array.from({ length: 300 }, () => {
  const question = sealQuestion(statement, {
    messages: [{ role: 'user', content: 'Tell me a story about a fox.' }],
    maxTokens: 400
  })
  return openAnswer(statement, question, enclave.run(question.job), tokens => {
    if (!told && tokens > 5) {
      told = true
      process.send?.({ pid: enclave.info.pid, rssBytes: process.memoryUsage.rss() })
    }
  })
})
await Promise.all(answers)
