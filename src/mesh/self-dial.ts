import type { Multiaddr } from '@multiformats/multiaddr'

/** True if `address` leads to one of our own listening sockets, whatever peer it claims to be (M07). */
export function isOwnAddress(address: Multiaddr, own: Multiaddr[]): boolean {
  const socket = socketOf(address)
  return socket !== undefined && own.some(candidate => socketOf(candidate) === socket)
}

/** Transport part of a direct TCP address, or undefined for relayed and other ones. */
function socketOf(address: Multiaddr): string | undefined {
  const [host, port, ...rest] = address.getComponents()
  if (host === undefined || port?.name !== 'tcp' || rest.some(part => part.name !== 'p2p')) {
    return undefined
  }
  return `${host.name}/${host.value}/${port.value}`
}
