import { chainCompliance } from '../../compliance/chain.ts'
import { FakeChain } from '../../support/fake-chain.ts'
import { PAYEE_ADDRESS, PAYEE_KEY, PAYER_ADDRESS, PAYER_KEY } from '../../support/payment-pair.ts'

let salt = 0n

chainCompliance('the fake of the unit tests', async () => {
  const chain = new FakeChain()
  return {
    payer: chain,
    payee: chain,
    payerKey: PAYER_KEY,
    payeeKey: PAYEE_KEY,
    terms: () => ({
      globalId: chain.globalId,
      payerKey: PAYER_KEY.publicKey,
      payerAddress: PAYER_ADDRESS,
      payeeKey: PAYEE_KEY.publicKey,
      payeeAddress: PAYEE_ADDRESS,
      salt: ++salt,
      challengeSeconds: 600
    }),
    advance: async seconds => {
      chain.nowMs += seconds * 1000
    }
  }
})
