import type { Datastore } from './libp2p-node.ts'

/**
 * A datastore whose reads cannot be cancelled. libp2p's peer store takes a cancelled read for "no such peer" and writes
 * back what is left: a node that stops at the wrong moment would forget the peers it knows. Local reads are quick.
 */
export function steadyDatastore(datastore: Datastore): Datastore {
  return new Proxy(datastore, {
    get(target, name) {
      if (name === 'get') {
        return (key: Parameters<Datastore['get']>[0]) => target.get(key)
      }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    }
  })
}
