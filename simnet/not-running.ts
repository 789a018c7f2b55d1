import { EnvironmentError } from '../src/core/errors.ts'

/** There is no simnet in a folder. */
export function notRunning(folder: string): EnvironmentError {
  return new EnvironmentError(
    'SIMNET_NOT_RUNNING',
    `No simnet runs in ${folder}: start one with "cocoon-node simnet up", or name its folder with --dir`,
    { details: { folder } }
  )
}
