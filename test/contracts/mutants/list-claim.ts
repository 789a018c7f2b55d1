import type { Mutant } from './mutant.ts'

/** Claims that bring their gas. */
export const CLAIM_MUTANTS: readonly Mutant[] = [
  {
    name: 'claim: more than there is',
    breaks: 'once storage has eaten into the deposit no claim goes through',
    find: 'val due = min(msg.cumulative - storage.settled, ownBalance(value));',
    replace: 'val due = msg.cumulative - storage.settled;'
  },
  {
    name: 'claim: replays with nothing due',
    breaks: 'an old voucher sends empty messages around',
    find: 'assert (due > 0) throw ERR_NOTHING_TO_CLAIM;\n    assert (msg.cumulative <= storage.deposit) throw ERR_OVER_DEPOSIT;\n    assert (isVoucherSigned',
    replace:
      'assert (due >= 0) throw ERR_NOTHING_TO_CLAIM;\n    assert (msg.cumulative <= storage.deposit) throw ERR_OVER_DEPOSIT;\n    assert (isVoucherSigned'
  },
  {
    name: 'claim: over the deposit',
    breaks: 'a voucher above the deposit is paid out of the storage reserve',
    find: 'assert (msg.cumulative <= storage.deposit) throw ERR_OVER_DEPOSIT;\n    assert (isVoucherSigned',
    replace: 'assert (isVoucherSigned'
  },
  {
    name: 'claim: not the whole deposit',
    breaks: 'the last nanoton can never be claimed',
    find: 'assert (msg.cumulative <= storage.deposit) throw ERR_OVER_DEPOSIT;\n    assert (isVoucherSigned',
    replace: 'assert (msg.cumulative < storage.deposit) throw ERR_OVER_DEPOSIT;\n    assert (isVoucherSigned'
  },
  {
    name: 'claim: any signature',
    breaks: 'the payee takes the whole deposit',
    find: 'assert (isVoucherSigned(msg.signature, storage.payerKey, storage.globalId, storage.openedLt, msg.cumulative)) throw ERR_BAD_PAYER_SIGNATURE;\n    requireValue',
    replace: 'requireValue'
  },
  {
    name: 'claim: no value needed',
    breaks: 'gas comes out of what the parties are owed',
    find: '    requireValue(value, GAS_CLAIM, 2);\n',
    replace: ''
  },
  {
    name: 'claim: gas bound zero',
    breaks: 'gas comes out of what the parties are owed',
    find: 'const GAS_CLAIM = ',
    replace: 'const GAS_CLAIM = 0 * '
  },
  {
    name: 'claim: one transfer paid for',
    breaks: 'a claim by somebody else pays for its second message with money of the parties',
    find: 'requireValue(value, GAS_CLAIM, 2);',
    replace: 'requireValue(value, GAS_CLAIM, 1);'
  },
  {
    name: 'claim: settles what was signed, not what was paid',
    breaks: 'what storage ate is lost for the payee even after a top-up',
    find: 'storage.settled += due;\n    contract.setData(storage.toCell());\n    if (sender == storage.payee)',
    replace:
      'storage.settled = msg.cumulative;\n    contract.setData(storage.toCell());\n    if (sender == storage.payee)'
  },
  {
    name: 'claim: settled is the last payment',
    breaks: 'the same voucher is paid again and again',
    find: 'storage.settled += due;\n    contract.setData(storage.toCell());\n    if (sender == storage.payee)',
    replace: 'storage.settled = due;\n    contract.setData(storage.toCell());\n    if (sender == storage.payee)'
  },
  {
    name: 'claim: forgets to write',
    breaks: 'the same voucher is paid again and again',
    find: '    contract.setData(storage.toCell());\n    if (sender == storage.payee)',
    replace: '    if (sender == storage.payee)'
  },
  {
    name: 'claim: pays the payee the total again',
    breaks: 'every claim pays everything since the opening',
    find: 'pay(sender, due, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);',
    replace: 'pay(sender, msg.cumulative, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);'
  },
  {
    name: 'claim: by another pays the total again',
    breaks: 'every claim pays everything since the opening',
    find: '        pay(storage.payee, due, SEND_MODE_PAY_FEES_SEPARATELY);\n        keepAllBut(due);',
    replace: '        pay(storage.payee, msg.cumulative, SEND_MODE_PAY_FEES_SEPARATELY);\n        keepAllBut(due);'
  },
  {
    name: 'claim: the whole balance to the payee',
    breaks: 'the first claim takes the deposit',
    find: 'pay(sender, due, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);',
    replace: 'pay(sender, due, SEND_MODE_CARRY_ALL_BALANCE);'
  },
  {
    name: 'claim: whoever sends it is paid',
    breaks: 'a claimed voucher is public: anybody collects with a copy of the next one',
    find: '        pay(storage.payee, due, SEND_MODE_PAY_FEES_SEPARATELY);\n        keepAllBut(due);',
    replace: '        pay(sender, due, SEND_MODE_PAY_FEES_SEPARATELY);\n        keepAllBut(due);'
  },
  {
    name: 'claim: fees off the payout',
    breaks: 'the payee pays for a claim that somebody else sent',
    find: '        pay(storage.payee, due, SEND_MODE_PAY_FEES_SEPARATELY);\n        keepAllBut(due);',
    replace: '        pay(storage.payee, due, SEND_MODE_REGULAR);\n        keepAllBut(due);'
  },
  {
    name: 'claim: by another keeps too much',
    breaks: 'a claim by somebody else has to bring the payout itself, or fails',
    find: 'keepAllBut(due);',
    replace: 'keepAllBut(0);'
  },
  {
    name: 'claim: by another keeps nothing',
    breaks: 'whoever claims for the payee gets the rest of the deposit',
    find: '        keepAllBut(due);\n',
    replace: ''
  },
  {
    name: 'claim: change without its fees',
    breaks: 'gas and forwarding come out of the deposit',
    find: '        pay(sender, 0, SEND_MODE_CARRY_ALL_BALANCE);\n    }\n}',
    replace: '        pay(sender, 0, SEND_MODE_CARRY_ALL_REMAINING_MESSAGE_VALUE);\n    }\n}'
  },
  {
    name: 'claim: no change for others',
    breaks: 'what is left of the value of somebody else stays in the channel',
    find: '        pay(sender, 0, SEND_MODE_CARRY_ALL_BALANCE);\n    }\n}',
    replace: '    }\n}'
  },
  {
    name: 'claim: payee and others mixed up',
    breaks: 'a stranger is paid the voucher',
    find: 'if (sender == storage.payee) {',
    replace: 'if (sender != storage.payee) {'
  }
]
