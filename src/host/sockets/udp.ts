/**
 * UDP sockets that are bound to one device.
 *
 * Node can only bind a socket to an address. SO_BINDTODEVICE must be set before the port is bound,
 * so that two sockets may have the same port on two devices. The finished descriptor is passed to
 * Node, which then owns it.
 */
import { createSocket } from 'node:dgram'
import { ipv4 } from '../../model/addr.ts'
import type { LinkSocket } from '../host.ts'
import type { Libc } from '../libc.ts'
import { SO_BROADCAST, SO_NO_CHECK, SO_REUSEADDR } from '../libc.ts'
import type { Inside } from '../network/netns.ts'
import { giveToNode, prepared } from './bound.ts'

const ANY_ADDRESS = ipv4('0.0.0.0')

/**
 * A socket that sends and receives through `link` only, on `port`, with broadcast allowed. Throws
 * the kernel's error.
 */
export async function bindUdpToDevice(
  libc: Libc,
  inside: Inside,
  link: string,
  port: number,
): Promise<LinkSocket> {
  return await linkSocket(libc, openUdpOnDevice(libc, inside, link, port))
}

/** The socket of a bound descriptor, which Node owns then. */
export async function linkSocket(libc: Pick<Libc, 'sendFrom'>, fd: number): Promise<LinkSocket> {
  const socket = createSocket('udp4')
  await giveToNode(socket, fd)
  return {
    socket,
    sendFrom: (source, bytes, toPort, to) => {
      // Throws when the socket is closed, because its descriptor may belong to another file by now.
      socket.address()
      libc.sendFrom(fd, source, bytes, toPort, to)
    },
  }
}

/** The same as a descriptor, which the caller closes. */
export function openUdpOnDevice(libc: Libc, inside: Inside, link: string, port: number): number {
  // It belongs to the namespace that it is made in, and can be used from anywhere.
  const made = inside(() => libc.udpSocket())
  return prepared(libc, made, (fd) => {
    libc.setSocketFlag(fd, SO_REUSEADDR, 1)
    libc.setSocketFlag(fd, SO_BROADCAST, 1)
    // On a veth or tap the kernel leaves the checksum to a network card that does not exist, and a
    // client that reads whole frames would see a wrong one. RFC 768 allows none.
    libc.setSocketFlag(fd, SO_NO_CHECK, 1)
    libc.bindToDevice(fd, link)
    libc.bind(fd, ANY_ADDRESS, port)
  })
}
