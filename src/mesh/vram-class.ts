const GIB = 1024 ** 3

/** Classes of a machine's total GPU memory, the key space of VRAM searches. */
export const VRAM_CLASSES = ['none', '4g', '8g', '12g', '16g', '24g', '48g', '80g', '141g', '320g', '640g'] as const

export type VramClass = (typeof VRAM_CLASSES)[number]

/**
 * The largest class that `totalBytes`, summed over all GPUs, fills to at least 95 %: drivers report a little
 * less than the box says. `none` below 3.8 GiB, CPU-only machines included.
 */
export function vramClass(totalBytes: number): VramClass {
  return VRAM_CLASSES.findLast(name => totalBytes >= classBytes(name) * 0.95) ?? 'none'
}

function classBytes(name: VramClass): number {
  return name === 'none' ? 0 : Number.parseInt(name, 10) * GIB
}
