/**
 * UDP sockets that are bound to one device.
 *
 * Node can only bind a socket to an address. SO_BINDTODEVICE must be set before the port is bound,
 * so that two sockets may have the same port on two devices. Node would also read them one by one
 * (`readable.ts`).
 */
import { type Ipv4, ipv4 } from '../../model/addr.ts'
import { bug } from '../../model/errors.ts'
import type { Libc } from '../libc.ts'
import { SO_BROADCAST, SO_NO_CHECK, SO_REUSEADDR } from '../libc.ts'
import type { Inside } from '../network/netns.ts'
import { prepared } from './bound.ts'
import { createDatagrams, type Datagrams } from './datagrams.ts'
import { createReadability, type Readability } from './readable.ts'

const ANY_ADDRESS = ipv4('0.0.0.0')
/** More than an Ethernet frame holds. What is longer is cut. */
const MAX_DATAGRAM_BYTES = 1501

/** A UDP socket that is bound to one device. */
export interface LinkSocket {
  /**
   * Calls `heard` with each datagram from now on; its bytes are valid during the call. `failed` is
   * called at most once: then it hears no more.
   */
  listen(heard: (bytes: Buffer) => void, failed: (error: unknown) => void): void
  /**
   * Sends from the host's address `source`, at once or not at all. On a device without addresses
   * the kernel would choose the source of a broadcast from another device. Throws the kernel's
   * error, or a `bug` when the socket is closed.
   */
  sendFrom(source: Ipv4, bytes: Uint8Array, port: number, to: Ipv4): void
  /** Once. */
  close(): void
}

/** The socket of a descriptor of `openUdpOnDevice`, which it owns from now on. */
export type LinkSocketOf = (fd: number) => LinkSocket

/** Those of one process have the room for what they read in common. */
export function createLinkSockets(libc: Pick<Libc, 'sendFrom' | 'close'>): LinkSocketOf {
  let shared: { readonly readability: Readability; readonly datagrams: Datagrams } | undefined
  return (fd) => {
    let isOpen = true
    let unwatch: (() => void) | undefined
    return {
      listen(heard, failed) {
        shared ??= {
          readability: createReadability(),
          datagrams: createDatagrams(MAX_DATAGRAM_BYTES),
        }
        const { readability, datagrams } = shared
        const readable = () => {
          const count = datagrams.receive(fd)
          for (let at = 0; at < count && isOpen; at += 1) heard(datagrams.bytes(at))
        }
        unwatch = readability.watch(fd, { readable, failed })
      },
      sendFrom(source, bytes, toPort, to) {
        // By now its descriptor may belong to another file.
        if (!isOpen) throw bug('the socket is closed')
        libc.sendFrom(fd, source, bytes, toPort, to)
      },
      close() {
        if (!isOpen) throw bug('the socket is closed')
        isOpen = false
        unwatch?.()
        libc.close(fd)
      },
    }
  }
}

/**
 * A descriptor that sends and receives through `link` only, on `port`, with broadcast allowed. The
 * caller closes it. Throws the kernel's error.
 */
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
