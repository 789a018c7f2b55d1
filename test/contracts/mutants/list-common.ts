import type { Mutant } from './mutant.ts'

/** What several messages have in common. */
export const COMMON_MUTANTS: readonly Mutant[] = [
  {
    name: 'transfers: bounce',
    breaks: 'a payout to a wallet that is not deployed comes back and counts for nobody',
    find: 'bounce: BounceMode.NoBounce',
    replace: 'bounce: BounceMode.Only256BitsOfBody'
  },
  {
    name: 'transfers: a failed one keeps the value',
    breaks: 'whoever sent a message that cannot be paid out loses its value',
    find: '.send(mode | SEND_MODE_BOUNCE_ON_ACTION_FAIL)',
    replace: '.send(mode)'
  },
  {
    name: 'transfers: errors are ignored',
    breaks: 'a payout is booked and never sent (P55)',
    find: '.send(mode | SEND_MODE_BOUNCE_ON_ACTION_FAIL)',
    replace: '.send(mode | SEND_MODE_IGNORE_ERRORS)'
  },
  {
    name: 'reserve: a failed one keeps the value',
    breaks: 'whoever sent a message that cannot be paid out loses its value',
    find: '    reserveToncoinsOnBalance(amount, RESERVE_MODE_EXACT_AMOUNT | RESERVE_MODE_BOUNCE_ON_ACTION_FAIL)',
    replace: '    reserveToncoinsOnBalance(amount, RESERVE_MODE_EXACT_AMOUNT)',
    equivalent:
      'a fund brings gas and transfer beyond what is held, an external claim pays out more than both: it never fails'
  },
  {
    name: 'reserve: a failed one of a claim keeps the value',
    breaks: 'whoever sent a message that cannot be paid out loses its value',
    find: 'RESERVE_MODE_NEGATE_AMOUNT\n        | RESERVE_MODE_BOUNCE_ON_ACTION_FAIL',
    replace: 'RESERVE_MODE_NEGATE_AMOUNT',
    equivalent: 'a claim brings its gas and both transfers: what is to be kept is always there'
  },
  {
    name: 'own balance: the value counts twice',
    breaks: 'the value of a message is taken for money of the channel',
    find: 'return contract.getOriginalBalance() - value',
    replace: 'return contract.getOriginalBalance()'
  },
  {
    name: 'voucher: any opening',
    breaks: 'the signed cell has no opening in it: all vouchers are refused, or old ones count',
    find: 'val voucher: Voucher = { globalId, channel: contract.getAddress(), openedLt, cumulative };',
    replace: 'val voucher: Voucher = { globalId, channel: contract.getAddress(), openedLt: 0, cumulative };'
  },
  {
    name: 'unknown messages stay',
    breaks: 'the value of a mistyped message is stranded',
    find: 'else => { throw ERR_UNKNOWN_MESSAGE }',
    replace: 'else => { }'
  },
  {
    name: 'getter: open and closing mixed up',
    breaks: 'a payee serves on a channel that is being closed',
    find: 'storage.closeAt == 0 ? 1 : 2',
    replace: 'storage.closeAt == 0 ? 2 : 1'
  }
]
