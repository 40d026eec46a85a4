/**
 * Sockets of services that Node makes, in a network namespace.
 *
 * A socket stays in the namespace that it is made in, and is used from anywhere. So which socket a
 * question comes to says whose it is, also where two VPCs have the same addresses. Node makes a UDP
 * socket while it binds it; a TCP socket that listens it makes later, so that one is given to it.
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
    bindUdp: (socket, address, port) =>
      begun(socket, () => inside(() => socket.bind({ address, port, exclusive: true }))),
  }
}

/** Waits until it listens. A socket with its own look-up does so before `begin` returns. */
async function begun(one: Server | Socket, begin: () => void): Promise<void> {
  const listening = once(one, 'listening')
  begin()
  await listening
}
