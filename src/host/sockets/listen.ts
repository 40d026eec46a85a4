/**
 * Sockets of services that Node makes, in a network namespace.
 *
 * A socket stays in the namespace that it is made in, and is used from anywhere. So which socket a
 * question comes to says whose it is, also where two VPCs have the same addresses. Both kinds are
 * made and bound here, and then given to Node: it would make a listening TCP socket later, and does
 * not tell the descriptor of a UDP socket that it has made.
 */
import type { ServiceSockets } from '../host.ts'
import { type Libc, loadLibc } from '../libc.ts'
import { here, type Inside } from '../network/netns.ts'
import { boundTcp, giveToNode, prepared } from './bound.ts'

/** Those of the namespace that `inside` enters. Errors: the kernel's own. */
export function createServiceSockets(
  inside: Inside = here,
  libc: Libc = loadLibc(),
): ServiceSockets {
  return {
    async listenTcp(server, address, port) {
      await giveToNode(server, boundTcp(libc, inside, address, port))
    },
    async bindUdp(socket, address, port) {
      const made = inside(() => libc.udpSocket())
      const fd = prepared(libc, made, () => libc.bind(made, address, port))
      await giveToNode(socket, fd)
      return fd
    },
  }
}
