import type { Mutant } from './mutant.ts'

/** Both ways to close. */
export const CLOSE_MUTANTS: readonly Mutant[] = [
  {
    name: 'start: by anyone',
    breaks: 'a stranger ends every channel',
    find: '    assert (sender == parties.payer) throw ERR_NOT_PAYER;\n    assert (storage.openedLt != 0) throw ERR_NOT_OPEN;',
    replace: '    assert (storage.openedLt != 0) throw ERR_NOT_OPEN;'
  },
  {
    name: 'start: before it was opened',
    breaks: 'a channel that was never opened cannot be opened any more',
    find: '    assert (storage.openedLt != 0) throw ERR_NOT_OPEN;\n    assert (storage.closeAt == 0)',
    replace: '    assert (storage.closeAt == 0)'
  },
  {
    name: 'start: again and again',
    breaks: 'the end moves with every start',
    find: '    assert (storage.closeAt == 0) throw ERR_ALREADY_CLOSING;\n    requireValue(value, GAS_START_CLOSE, 1);',
    replace: '    requireValue(value, GAS_START_CLOSE, 1);'
  },
  {
    name: 'start: no challenge period',
    breaks: 'the payer takes the deposit before the payee can claim',
    find: 'storage.closeAt = blockchain.now() + parties.challenge;',
    replace: 'storage.closeAt = blockchain.now();'
  },
  {
    name: 'start: forgets to write',
    breaks: 'the payer can never close alone',
    find: '    contract.setData(storage.toCell());\n    pay(sender, 0, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);',
    replace: '    pay(sender, 0, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);'
  },
  {
    name: 'start: sends the balance back',
    breaks: 'the payer takes the deposit before the payee can claim',
    find: '    contract.setData(storage.toCell());\n    pay(sender, 0, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);',
    replace: '    contract.setData(storage.toCell());\n    pay(sender, 0, SEND_MODE_CARRY_ALL_BALANCE);'
  },
  {
    name: 'start: no value needed',
    breaks: 'a close that cannot send its change fails after it was accepted',
    find: '    requireValue(value, GAS_START_CLOSE, 1);\n',
    replace: ''
  },
  {
    name: 'finish: without a start',
    breaks: 'anybody gives the payer its deposit back at once',
    find: 'assert (storage.closeAt != 0) throw ERR_NOT_CLOSING;',
    replace: ''
  },
  {
    name: 'finish: before its time',
    breaks: 'the payer takes the deposit before the payee can claim',
    find: 'assert (blockchain.now() >= storage.closeAt) throw ERR_TOO_EARLY;',
    replace: ''
  },
  {
    name: 'finish: a second late',
    breaks: 'the moment that both sides compute is not the one that counts',
    find: 'assert (blockchain.now() >= storage.closeAt)',
    replace: 'assert (blockchain.now() > storage.closeAt)'
  },
  {
    name: 'finish: no value needed',
    breaks: 'a stranger finishes at the cost of the payer',
    find: '    requireValue(value, GAS_FINISH, 2);\n',
    replace: ''
  },
  {
    name: 'coop: before it was opened',
    breaks: 'a statement over nothing destroys what was never opened',
    find: '    assert (storage.openedLt != 0) throw ERR_NOT_OPEN;\n    // With less',
    replace: '    // With less'
  },
  {
    name: 'coop: an outdated statement',
    breaks: 'a statement over less than was paid ends the channel',
    find: 'assert (due >= 0) throw ERR_CLOSE_AMOUNT;',
    replace: ''
  },
  {
    name: 'coop: only beyond what is settled',
    breaks: 'nobody can close after the last claim',
    find: 'assert (due >= 0) throw ERR_CLOSE_AMOUNT;',
    replace: 'assert (due > 0) throw ERR_CLOSE_AMOUNT;'
  },
  {
    name: 'coop: over the deposit',
    breaks: 'a typing error of the payer goes through at its own cost',
    find: 'assert (msg.cumulative <= storage.deposit) throw ERR_OVER_DEPOSIT;\n    assert (blockchain.now()',
    replace: 'assert (blockchain.now()'
  },
  {
    name: 'coop: never expires',
    breaks: 'an agreement of last year still ends the channel, and claims since then are lost',
    find: 'assert (blockchain.now() <= msg.validUntil) throw ERR_EXPIRED;',
    replace: ''
  },
  {
    name: 'coop: expires a second early',
    breaks: 'the moment that both sides compute is not the one that counts',
    find: 'assert (blockchain.now() <= msg.validUntil)',
    replace: 'assert (blockchain.now() < msg.validUntil)'
  },
  {
    name: 'coop: the payee alone',
    breaks: 'the payee signs itself the whole deposit',
    find: 'assert ((due == 0) | (sender == parties.payer)) throw ERR_NOT_PAYER;',
    replace: ''
  },
  {
    name: 'coop: any signature',
    breaks: 'the payer ends the channel and leaves vouchers unpaid',
    find: 'assert (isSignatureValid(beginCell().storeAny(statement).hash(), msg.signature as slice, parties.payeeKey)) throw ERR_BAD_PAYEE_SIGNATURE;',
    replace: ''
  },
  {
    name: 'coop: the expiry is not signed',
    breaks: 'whoever brings the statement chooses until when it counts',
    find: 'validUntil: msg.validUntil\n',
    replace: 'validUntil: blockchain.now()\n'
  },
  {
    name: 'coop: pays the total again',
    breaks: 'what was claimed before is paid a second time',
    find: '        pay(storage.payee, due, SEND_MODE_PAY_FEES_SEPARATELY);\n    }\n    refund',
    replace: '        pay(storage.payee, msg.cumulative, SEND_MODE_PAY_FEES_SEPARATELY);\n    }\n    refund'
  },
  {
    name: 'coop: fees off the payout',
    breaks: 'the payee gets less than it signed',
    find: '        pay(storage.payee, due, SEND_MODE_PAY_FEES_SEPARATELY);\n    }\n    refund',
    replace: '        pay(storage.payee, due, SEND_MODE_REGULAR);\n    }\n    refund'
  },
  {
    name: 'coop: empty payouts',
    breaks: 'every close sends the payee a message that says nothing',
    find: '    if (due > 0) {\n',
    replace: '    if (due >= 0) {\n'
  },
  {
    name: 'coop: no value needed',
    breaks: 'gas comes out of what the parties are owed',
    find: '    requireValue(value, GAS_COOP_CLOSE, 2);\n',
    replace: ''
  },
  {
    name: 'coop: gas bound zero',
    breaks: 'gas comes out of what the parties are owed',
    find: 'const GAS_COOP_CLOSE = ',
    replace: 'const GAS_COOP_CLOSE = 0 * '
  },
  {
    name: 'end: whoever ends it gets everything',
    breaks: 'a stranger finishes and takes the deposit',
    find: '    if (sender != payer) {\n        pay(payer, ownBalance(value), SEND_MODE_PAY_FEES_SEPARATELY);\n    }\n',
    replace: ''
  },
  {
    name: 'end: the value too goes to the payer',
    breaks: 'whoever closes pays the payer 0.05 TON',
    find: 'pay(payer, ownBalance(value), SEND_MODE_PAY_FEES_SEPARATELY);',
    replace: 'pay(payer, contract.getOriginalBalance(), SEND_MODE_PAY_FEES_SEPARATELY);'
  },
  {
    name: 'end: fees off the refund',
    breaks: 'the payer pays for a close that somebody else sent',
    find: 'pay(payer, ownBalance(value), SEND_MODE_PAY_FEES_SEPARATELY);',
    replace: 'pay(payer, ownBalance(value), SEND_MODE_REGULAR);'
  },
  {
    name: 'end: stays behind',
    breaks: 'the account lives on with its old data, and can be claimed from when it is funded again',
    find: 'SEND_MODE_CARRY_ALL_BALANCE | SEND_MODE_DESTROY',
    replace: 'SEND_MODE_CARRY_ALL_BALANCE'
  },
  {
    name: 'end: strands the deposit',
    breaks: 'the payer gets its message back and never its deposit',
    find: 'SEND_MODE_CARRY_ALL_BALANCE | SEND_MODE_DESTROY',
    replace: 'SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE'
  }
]
