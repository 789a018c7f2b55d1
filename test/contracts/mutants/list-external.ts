import type { Mutant } from './mutant.ts'

/** Claims from outside, whose gas the channel pays first. */
export const EXTERNAL_MUTANTS: readonly Mutant[] = [
  {
    name: 'external: padded',
    breaks: 'whoever relays a claim makes the channel pay for kilobytes of import',
    find: 'assert (incomingMessage().beginParse().isEndOfRefs()) throw ERR_PADDED;',
    replace: ''
  },
  {
    name: 'external: the import is not made up for',
    breaks: 'every external claim takes its import fee from the deposit',
    find: 'val held = contract.getOriginalBalance() + fee;',
    replace: 'val held = contract.getOriginalBalance();'
  },
  {
    name: 'external: more than there is',
    breaks: 'the action fails after gas was accepted, again and again',
    find: 'val due = min(msg.cumulative - storage.settled, held);',
    replace: 'val due = msg.cumulative - storage.settled;'
  },
  {
    name: 'external: replays',
    breaks: 'everybody burns the deposit as gas with an old voucher',
    find: '    assert (due > calculateGasFee(BASECHAIN, GAS_EXTERNAL_CLAIM) + 2 * fee) throw ERR_PAYOUT_TOO_SMALL;\n',
    replace: ''
  },
  {
    name: 'external: over the deposit',
    breaks: 'a voucher above the deposit is paid out of the storage reserve',
    find: 'assert (msg.cumulative <= storage.deposit) throw ERR_OVER_DEPOSIT;\n    // The action phase',
    replace: '// The action phase'
  },
  {
    name: 'external: forwarding is not covered',
    breaks: 'a small payout burns gas and fails',
    find: 'assert (due > calculateGasFee(BASECHAIN, GAS_EXTERNAL_CLAIM) + 2 * fee)',
    replace: 'assert (due > calculateGasFee(BASECHAIN, GAS_EXTERNAL_CLAIM) + fee)'
  },
  {
    name: 'external: exactly the fees are enough',
    breaks: 'the bound that clients compute is off by one',
    find: 'assert (due > calculateGasFee(BASECHAIN, GAS_EXTERNAL_CLAIM) + 2 * fee)',
    replace: 'assert (due >= calculateGasFee(BASECHAIN, GAS_EXTERNAL_CLAIM) + 2 * fee)'
  },
  {
    name: 'external: gas bound zero',
    breaks: 'a small payout burns gas and fails',
    find: 'const GAS_EXTERNAL_CLAIM = ',
    replace: 'const GAS_EXTERNAL_CLAIM = 0 * '
  },
  {
    name: 'external: any signature',
    breaks: 'the payee takes the whole deposit without a coin',
    find: 'assert (isVoucherSigned(msg.signature, storage.payerKey, storage.globalId, storage.openedLt, msg.cumulative)) throw ERR_BAD_PAYER_SIGNATURE;\n    acceptExternalMessage();',
    replace: 'acceptExternalMessage();'
  },
  {
    name: 'external: accepts before it checks',
    breaks: 'everybody burns the deposit as gas with refused messages',
    find: '    val msg = Claim.fromSlice(body);\n    // Whoever relays',
    replace: '    acceptExternalMessage();\n    val msg = Claim.fromSlice(body);\n    // Whoever relays'
  },
  {
    name: 'external: accepts before the signature',
    breaks: 'everybody burns the deposit as gas with forged vouchers',
    find: '    // The action phase below must not fail',
    replace: '    acceptExternalMessage();\n    // The action phase below must not fail'
  },
  {
    name: 'external: forgets to write',
    breaks: 'everybody has the same voucher paid again and again',
    find: '    contract.setData(storage.toCell());\n    keep(held - due);',
    replace: '    keep(held - due);'
  },
  {
    name: 'external: keeps nothing',
    breaks: 'the first external claim takes the deposit',
    find: '    keep(held - due);\n',
    replace: ''
  },
  {
    name: 'external: settles what was signed, not what was paid',
    breaks: 'what storage ate is lost for the payee even after a top-up',
    find: 'storage.settled += due;\n    contract.setData(storage.toCell());\n    keep(held - due)',
    replace: 'storage.settled = msg.cumulative;\n    contract.setData(storage.toCell());\n    keep(held - due)'
  }
]
