/** Values per block and bytes per block of a ggml tensor type (ggml `type_traits`). */
export interface TensorLayout {
  blockSize: number
  blockBytes: number
}

/** `[values per block, bytes per block]` by ggml type number; a number that is missing is unknown or withdrawn. */
const LAYOUTS: Readonly<Record<number, readonly [number, number]>> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
  40: [64, 36],
  41: [128, 18],
  42: [64, 18]
}

/** Layout of a ggml tensor type, or undefined for one that the shipped llama.cpp does not know. */
export function tensorLayout(type: number): TensorLayout | undefined {
  const layout = LAYOUTS[type]
  return layout === undefined ? undefined : { blockSize: layout[0], blockBytes: layout[1] }
}

/** Short names by `general.file_type` (llama.cpp `llama_ftype`). */
const QUANTIZATIONS: Readonly<Record<number, string>> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  7: 'Q8_0',
  8: 'Q5_0',
  9: 'Q5_1',
  10: 'Q2_K',
  11: 'Q3_K_S',
  12: 'Q3_K_M',
  13: 'Q3_K_L',
  14: 'Q4_K_S',
  15: 'Q4_K_M',
  16: 'Q5_K_S',
  17: 'Q5_K_M',
  18: 'Q6_K',
  19: 'IQ2_XXS',
  20: 'IQ2_XS',
  21: 'Q2_K_S',
  22: 'IQ3_XS',
  23: 'IQ3_XXS',
  24: 'IQ1_S',
  25: 'IQ4_NL',
  26: 'IQ3_S',
  27: 'IQ3_M',
  28: 'IQ2_S',
  29: 'IQ2_M',
  30: 'IQ4_XS',
  31: 'IQ1_M',
  32: 'BF16',
  36: 'TQ1_0',
  37: 'TQ2_0',
  38: 'MXFP4',
  39: 'NVFP4',
  40: 'Q1_0',
  41: 'Q2_0'
}

/** Name of a file type, `unknown` when the file does not say or the number is new. */
export function quantizationName(fileType: number | undefined): string {
  return (fileType === undefined ? undefined : QUANTIZATIONS[fileType]) ?? 'unknown'
}
