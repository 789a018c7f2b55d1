/** Why a line of a batch cannot run. */
export class LineFault extends Error {
  /** Words that follow `line 7: `. */
  readonly reason: string
  readonly customId: string | undefined

  constructor(reason: string, customId?: string) {
    super(reason)
    this.name = 'LineFault'
    this.reason = reason
    this.customId = customId
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
