import type { Mutant } from './mutant.ts'

/** Opening and topping up. */
export const FUND_MUTANTS: readonly Mutant[] = [
  {
    name: 'fund: from anyone',
    breaks: 'a stranger opens the channel and so sets its opening time',
    find: `    assert (sender == parties.payer) throw ERR_NOT_PAYER;
    assert (storage.closeAt == 0) throw ERR_ALREADY_CLOSING;
    assert (amount > 0)`,
    replace: `    assert (storage.closeAt == 0) throw ERR_ALREADY_CLOSING;
    assert (amount > 0)`
  },
  {
    name: 'fund: while closing',
    breaks: 'a top-up goes into a channel that is about to end',
    find: `    assert (storage.closeAt == 0) throw ERR_ALREADY_CLOSING;
    assert (amount > 0)`,
    replace: '    assert (amount > 0)'
  },
  {
    name: 'fund: with nothing',
    breaks: 'a channel without a deposit counts as open',
    find: 'assert (amount > 0) throw ERR_ZERO_DEPOSIT;',
    replace: ''
  },
  {
    name: 'fund: on any network',
    breaks: 'terms of the main network are opened on the test network, and vouchers count on both',
    find: 'assert (storage.globalId == networkGlobalId()) throw ERR_WRONG_NETWORK;',
    replace: ''
  },
  {
    name: 'fund: any payee',
    breaks: 'every payout costs more than its sender brought, and fails for ever',
    find: 'assert (storage.payee.getWorkchain() == BASECHAIN) throw ERR_BAD_TERMS;',
    replace: ''
  },
  {
    name: 'fund: any challenge period',
    breaks: 'the payer can never close alone',
    find: 'assert (parties.challenge <= MAX_CHALLENGE_SECONDS) throw ERR_BAD_TERMS;',
    replace: ''
  },
  {
    name: 'fund: challenge period below a year',
    breaks: 'terms that are documented as right are refused',
    find: 'assert (parties.challenge <= MAX_CHALLENGE_SECONDS)',
    replace: 'assert (parties.challenge < MAX_CHALLENGE_SECONDS)'
  },
  {
    name: 'fund: every opening looks the same',
    breaks: 'vouchers of an earlier opening are paid again after a redeployment',
    find: 'storage.openedLt = blockchain.logicalTime();',
    replace: 'storage.openedLt = 1;'
  },
  {
    name: 'fund: a top-up opens anew',
    breaks: 'a top-up makes every voucher worthless',
    find: 'if (storage.openedLt == 0) {',
    replace: 'if (amount > 0) {'
  },
  {
    name: 'fund: the deposit is replaced',
    breaks: 'a top-up lowers the deposit',
    find: 'storage.deposit += amount;',
    replace: 'storage.deposit = amount;'
  },
  {
    name: 'fund: keeps what is settled already',
    breaks: 'a top-up has to pay the settled part a second time',
    find: 'val held = storage.deposit - storage.settled\n',
    replace: 'val held = storage.deposit\n'
  },
  {
    name: 'fund: keeps the reserve only',
    breaks: 'the deposit goes back to the payer at once: vouchers are not covered',
    find: 'val held = storage.deposit - storage.settled\n        + calculateStorageFee',
    replace: 'val held = calculateStorageFee'
  },
  {
    name: 'fund: no storage reserve',
    breaks: 'storage eats into the deposit from the first day',
    find: 'calculateStorageFee(BASECHAIN, RESERVE_SECONDS + parties.challenge, ACCOUNT_BITS, ACCOUNT_CELLS)',
    replace: '0'
  },
  {
    name: 'fund: no reserve for the challenge period',
    breaks: 'a close that starts on the last day of the reserve ends with less than is owed',
    find: 'RESERVE_SECONDS + parties.challenge',
    replace: 'RESERVE_SECONDS'
  },
  {
    name: 'fund: the value is not looked at',
    breaks: 'a deposit counts that was never brought',
    find: 'assert (contract.getOriginalBalance() >= held + calculateGasFee(BASECHAIN, GAS_FUND) + messageFee()) throw ERR_NOT_ENOUGH_VALUE;',
    replace: ''
  },
  {
    name: 'fund: one nanoton too strict',
    breaks: 'the least value that the documents promise is refused',
    find: 'contract.getOriginalBalance() >= held + calculateGasFee(BASECHAIN, GAS_FUND)',
    replace: 'contract.getOriginalBalance() > held + calculateGasFee(BASECHAIN, GAS_FUND)'
  },
  {
    name: 'fund: forgets to write',
    breaks: 'the deposit is locked and not recorded',
    find: '    contract.setData(storage.toCell());\n    keep(held);',
    replace: '    keep(held);'
  },
  {
    name: 'fund: keeps nothing',
    breaks: 'the whole deposit goes back with the change',
    find: '    keep(held);\n    pay(sender, 0, SEND_MODE_CARRY_ALL_BALANCE);',
    replace: '    pay(sender, 0, SEND_MODE_CARRY_ALL_BALANCE);'
  },
  {
    name: 'fund: change of the message, not of the balance',
    breaks: 'the deposit goes back with the change',
    find: '    keep(held);\n    pay(sender, 0, SEND_MODE_CARRY_ALL_BALANCE);',
    replace: '    keep(held);\n    pay(sender, 0, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);'
  },
  {
    name: 'fund: gas bound zero',
    breaks: 'gas comes out of the deposit',
    find: 'const GAS_FUND = ',
    replace: 'const GAS_FUND = 0 * '
  }
]
