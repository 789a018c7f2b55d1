import { ClassicLevel } from 'classic-level'

/** What an implementation of `abstract-level` writes through, sublevels' writes included. */
const WRITES = ['_put', '_del', '_batch', '_clear'] as const

type Write = (...args: unknown[]) => Promise<void>

/**
 * A database that takes no more writes once one has failed, until it is opened again. LevelDB goes on: but after a write
 * of which only a part fitted on a full disk, it can read nothing of what it writes behind it, and at its next opening all
 * that is gone without a word.
 */
export function carefulLevel(folder: string): ClassicLevel<string, string> {
  const database = new ClassicLevel<string, string>(folder, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
  let failure: Error | undefined
  for (const name of WRITES) {
    const write = Reflect.get(database, name) as Write
    const careful: Write = async (...args) => {
      if (failure !== undefined) {
        throw failure
      }
      try {
        await write.apply(database, args)
      } catch (err) {
        failure = err instanceof Error ? err : new Error(String(err))
        throw failure
      }
    }
    Object.defineProperty(database, name, { value: careful })
  }
  return database
}
