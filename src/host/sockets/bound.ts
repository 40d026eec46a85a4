/** Sockets as descriptors, which are made ready before Node or another process gets them. */
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { Server } from 'node:net'
import type { Ipv4 } from '../../model/addr.ts'
import { type Libc, SO_REUSEADDR } from '../libc.ts'
import type { Inside } from '../network/netns.ts'

/** Does `work` on a descriptor, and returns the descriptor. Closes it if `work` throws. */
export function prepared(
  libc: Pick<Libc, 'close'>,
  fd: number,
  work: (fd: number) => void,
): number {
  try {
    work(fd)
    return fd
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/** A TCP socket at an address of the namespace that `inside` enters. Errors: the kernel's own. */
export function boundTcp(libc: Libc, inside: Inside, address: Ipv4, port: number): number {
  return prepared(
    libc,
    inside(() => libc.tcpSocket()),
    (fd) => {
      libc.setSocketFlag(fd, SO_REUSEADDR, 1)
      libc.bind(fd, address, port)
    },
  )
}

/**
 * Gives Node, which owns it then, a descriptor that is bound, and waits until Node listens. A UDP
 * socket may do so before `bind` returns.
 */
export async function giveToNode(one: Server | Socket, fd: number): Promise<void> {
  const listening = once(one, 'listening')
  if (one instanceof Server) one.listen({ fd, exclusive: true })
  else one.bind({ fd, exclusive: true })
  await listening
}
