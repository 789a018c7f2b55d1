import { ChainFixture, milliTon, terms, until } from '../integration/chain-fixture.ts'
import { chainCompliance } from './chain.ts'

let salt = 0n

chainCompliance('TonChain over a chain server', async () => {
  const fixture = new ChainFixture()
  await fixture.server.start()
  const payer = await fixture.party(1, { timeoutMs: 10_000 })
  const payee = await fixture.party(2, { timeoutMs: 10_000 })
  await fixture.fund(payer.wallet, milliTon(10_000))
  await fixture.fund(payee.wallet, milliTon(1_000))
  return {
    payer: payer.chain,
    payee: payee.chain,
    payerKey: payer.key,
    payeeKey: payee.key,
    terms: () => terms(payer, payee, { salt: ++salt, challengeSeconds: 4 }),
    // This chain's time is the machine's.
    advance: async seconds => {
      const untilMs = (await payer.chain.tip()).timeMs + seconds * 1000
      await until(async () => (await payer.chain.tip()).timeMs >= untilMs)
    },
    stop: () => fixture.server.stop()
  }
})
