import { errorCode, errorMessage } from '../../src/core/errors.ts'

/** What the driver asks of a child, by structured clone: bigint and bytes go as they are. */
export interface ControlRequest {
  id: number
  name: string
  args: unknown
}

export type ControlReply = { id: number; result: unknown } | { id: number; error: { code: string; message: string } }

/** Serves the driver's commands until it goes away: then this process ends too. */
export function serveCommands(commands: Record<string, (args: never) => unknown>): void {
  process.on('message', (request: ControlRequest) => {
    void answer(request, commands).then(reply => process.send?.(reply))
  })
  process.on('disconnect', () => process.exit(0))
}

async function answer(
  { id, name, args }: ControlRequest,
  commands: Record<string, (args: never) => unknown>
): Promise<ControlReply> {
  try {
    const command = commands[name]
    if (command === undefined) {
      throw new Error(`No command ${name}`)
    }
    return { id, result: await command(args as never) }
  } catch (err) {
    return { id, error: { code: errorCode(err) ?? 'UNKNOWN', message: errorMessage(err) } }
  }
}
