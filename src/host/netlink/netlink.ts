/**
 * One netlink(7) socket: requests with acknowledgement and dumps, strictly one after the other.
 *
 * One at a time because the kernel refuses a second dump on a socket while one runs, and the parts
 * of a dump must not mix with other answers. The namespace is that of the thread that made the
 * socket.
 */
import { getSystemErrorName } from 'node:util'
import type { NetlinkMessage } from 'netlink'
import { createNetlink, Flags, FlagsGet, MessageType, Protocol, parseError } from 'netlink'
import { createQueue } from '../../lib/queue.ts'

/** The kernel refused a request. `code` is the errno's name, e.g. `EEXIST`. */
export class NetlinkError extends Error {
  readonly code: string

  constructor(code: string) {
    super(`netlink: ${code}`)
    this.name = 'NetlinkError'
    this.code = code
  }
}

export interface Netlink {
  /** By which the kernel names who asked for a change, in its notifications. */
  readonly port: number
  /** Sends a request and waits for its acknowledgement. Rejects with `NetlinkError`. */
  request(type: number, payload: Uint8Array[], flags?: number): Promise<void>
  /**
   * Sends a request at once and hears nothing of it: for what may be gone already. A dump
   * afterwards sees what came of it.
   */
  tell(type: number, payload: Uint8Array[]): void
  /** Asks for one object. Rejects with `NetlinkError`, e.g. `ENODEV`. */
  get(type: number, payload: Uint8Array[]): Promise<Buffer>
  /**
   * Everything of one kind, whole and consistent: a dump that changed under the reader is read
   * again.
   */
  dump(type: number, payload: Uint8Array[]): Promise<readonly Buffer[]>
  close(): void
}

/**
 * The kernel answers at once or not at all; this only keeps a lost answer from holding up the
 * daemon for ever.
 */
const REQUEST_TIMEOUT_MS = 5_000
const DUMP_ATTEMPTS = 5

/** rtnetlink(7): links, addresses, routes, neighbours. */
export function openRouteNetlink(): Netlink {
  return openNetlink(Protocol.ROUTE)
}

/** The netfilter subsystems, nftables among them. */
export function openNetfilterNetlink(): Netlink {
  return openNetlink(Protocol.NETFILTER)
}

/** Opens a socket in the calling thread's current network namespace, synchronously. */
function openNetlink(protocol: Protocol): Netlink {
  const socket = createNetlink(protocol)
  const inOrder = createQueue()
  const send = async (type: number, payload: Uint8Array[], flags: number) => {
    const options = { flags, checkError: false, timeout: REQUEST_TIMEOUT_MS }
    const [messages] = await socket.request(type, payload, options)
    for (const message of messages) throwIfError(message)
    return messages
  }

  return {
    port: socket.address().port,
    request: (type, payload, flags = 0) =>
      inOrder(async () => {
        await send(type, payload, flags)
      }),
    tell: (type, payload) => {
      socket.send(type, payload, { flags: Flags.REQUEST })
    },
    get: (type, payload) =>
      inOrder(async () => {
        const [message] = await send(type, payload, 0)
        if (message === undefined) throw new NetlinkError('ENODATA')
        return message.data
      }),
    dump: (type, payload) =>
      inOrder(async () => {
        for (let attempt = 1; ; attempt++) {
          const messages = await send(type, payload, FlagsGet.DUMP)
          const interrupted = messages.some((message) => (message.flags & Flags.DUMP_INTR) !== 0)
          // The last attempt is taken as it is: the next pass looks again anyway.
          if (!interrupted || attempt === DUMP_ATTEMPTS)
            return messages
              .filter((message) => message.type !== MessageType.ERROR)
              .map((message) => message.data)
        }
      }),
    close: () => socket.close(),
  }
}

/** An acknowledgement is an error message whose number is 0 (RFC 3549, section 2.3.2.2). */
function throwIfError(message: NetlinkMessage): void {
  if (message.type !== MessageType.ERROR) return
  const { errno } = parseError(message.data, message.flags)
  if (errno !== 0) throw new NetlinkError(getSystemErrorName(errno))
}
