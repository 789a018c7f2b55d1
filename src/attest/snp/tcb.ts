import type { SnpProduct } from './product.ts'

/** Security versions of what AMD's secure processor runs; each only ever grows. One byte each. */
export interface SnpTcb {
  /** Turin and later; 0 before. */
  readonly fmc: number
  readonly bootLoader: number
  readonly tee: number
  readonly snp: number
  readonly microcode: number
}

/** Lets every version pass. */
export const ANY_TCB: SnpTcb = { fmc: 0, bootLoader: 0, tee: 0, snp: 0, microcode: 0 }

/** Bytes of a TCB_VERSION (SEV-SNP Firmware ABI §2.2). */
export const TCB_BYTES = 8

const PARTS = ['fmc', 'bootLoader', 'tee', 'snp', 'microcode'] as const

/** Where each part lies; what is not named is reserved and zero. */
const LAYOUTS: Readonly<Record<SnpProduct, Partial<Record<keyof SnpTcb, number>>>> = {
  milan: { bootLoader: 0, tee: 1, snp: 6, microcode: 7 },
  genoa: { bootLoader: 0, tee: 1, snp: 6, microcode: 7 },
  turin: { fmc: 0, bootLoader: 1, tee: 2, snp: 3, microcode: 7 }
}

/** The TCB_VERSION in `bytes`, or undefined where a reserved byte is set. */
export function parseTcb(bytes: Uint8Array, product: SnpProduct): SnpTcb | undefined {
  const layout = LAYOUTS[product]
  const used = new Set(Object.values(layout))
  if (bytes.length !== TCB_BYTES || bytes.some((byte, index) => byte !== 0 && !used.has(index))) {
    return undefined
  }
  const part = (name: keyof SnpTcb): number => {
    const index = layout[name]
    return index === undefined ? 0 : (bytes[index] ?? 0)
  }
  return {
    fmc: part('fmc'),
    bootLoader: part('bootLoader'),
    tee: part('tee'),
    snp: part('snp'),
    microcode: part('microcode')
  }
}

/** Whether no part of `tcb` is below that of `minimum`. A part that is no number passes nothing. */
export function tcbReaches(tcb: SnpTcb, minimum: SnpTcb): boolean {
  return PARTS.every(part => tcb[part] >= minimum[part])
}

/** One line for messages. */
export function tcbText(tcb: SnpTcb): string {
  return PARTS.map(part => `${part} ${tcb[part]}`).join(', ')
}
