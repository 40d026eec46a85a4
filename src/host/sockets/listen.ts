/**
 * Sockets of services that Node makes, in a network namespace.
 *
 * A socket stays in the namespace that it is made in, and is used from anywhere. So which socket a
 * question comes to says whose it is, also where two VPCs have the same addresses. Both kinds are
 * made and bound here, and then given to Node: it would make a listening TCP socket later, and does
 * not tell the descriptor of a UDP socket that it has made.
 */
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Server } from 'node:net'
import type { ServiceSockets } from '../host.ts'
import { type Libc, loadLibc, SO_REUSEADDR } from '../libc.ts'
import { here, type Inside } from '../network/netns.ts'

/** Those of the namespace that `inside` enters. Errors: the kernel's own. */
export function createServiceSockets(
  inside: Inside = here,
  libc: Libc = loadLibc(),
): ServiceSockets {
  return {
    async listenTcp(server, address, port) {
      const fd = inside(() => libc.tcpSocket())
      try {
        libc.setSocketFlag(fd, SO_REUSEADDR, 1)
        libc.bind(fd, address, port)
      } catch (error) {
        libc.close(fd)
        throw error
      }
      await begun(server, () => server.listen({ fd, exclusive: true }))
    },
    async bindUdp(socket, address, port) {
      const fd = inside(() => libc.udpSocket())
      try {
        libc.bind(fd, address, port)
      } catch (error) {
        libc.close(fd)
        throw error
      }
      await begun(socket, () => socket.bind({ fd, exclusive: true }))
      return fd
    },
  }
}

/** Waits until it listens. A UDP socket may do so before `begin` returns. */
async function begun(one: Server | Socket, begin: () => void): Promise<void> {
  const listening = once(one, 'listening')
  begin()
  await listening
}
