/**
 * Sockets of services as descriptors that Node does not own: the agent keeps one of each, and gives
 * copies to the process that serves them. What arrives while nobody serves waits in the socket.
 */
import { unavailable } from '../../model/errors.ts'
import { MIB } from '../../model/sizes.ts'
import { type Libc, SO_RCVBUFFORCE } from '../libc.ts'
import { currentNamespace, type Inside } from '../network/netns.ts'
import { boundTcp, prepared } from './bound.ts'
import { loadSocketInspector } from './inspect.ts'
import type { ServiceDescriptors, SocketPlace } from './socket-place.ts'
import { openUdpOnDevice } from './udp.ts'

/** As many as Node asks for. The kernel's limit is net.core.somaxconn. */
const BACKLOG = 511
/**
 * What waits while the serving process is started again: at 20,000 queries a second some 0.3 s, of
 * about 770 bytes of the kernel's memory each.
 */
const WAITING_BYTES = 4 * MIB

/** Those of the namespace that `inside` enters. */
export function createServiceDescriptors(inside: Inside, libc: Libc): ServiceDescriptors {
  const inspector = loadSocketInspector()
  return {
    namespace: inside(currentNamespace),
    open: (place) => (place.kind === 'link' ? openOnLink(place) : openAtAddress(place)),
  }

  function openOnLink({ link, index, port }: SocketPlace & { readonly kind: 'link' }): number {
    const fd = openUdpOnDevice(libc, inside, link, port)
    if (inspector.inspect(fd)?.index === index) return fd
    libc.close(fd)
    throw unavailable(`${link} was made again meanwhile`)
  }

  function openAtAddress({
    kind,
    address,
    port,
  }: SocketPlace & { readonly kind: 'udp' | 'tcp' }): number {
    if (kind === 'tcp')
      return prepared(libc, boundTcp(libc, inside, address, port), (fd) => libc.listen(fd, BACKLOG))
    const made = inside(() => libc.udpSocket())
    return prepared(libc, made, (fd) => {
      libc.setSocketFlag(fd, SO_RCVBUFFORCE, WAITING_BYTES)
      libc.bind(fd, address, port)
    })
  }
}
