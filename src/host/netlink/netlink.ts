/**
 * A netlink(7) socket: requests with acknowledgement, and dumps, one after the other.
 *
 * They are sequential because the kernel refuses a second dump on a socket while one runs, and
 * because the parts of a dump must not mix with other answers. The namespace is that of the thread
 * that created the socket.
 */
import { getSystemErrorName } from 'node:util'
import type { NetlinkMessage } from 'netlink'
import { createNetlink, Flags, FlagsGet, MessageType, Protocol, parseError } from 'netlink'
import { nextTurn } from '../../lib/clock.ts'
import { kernelClock, withDeadline } from '../../lib/deadline.ts'
import { errnoOf } from '../../lib/errno.ts'
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
  /** The kernel's notifications contain it, so our own changes can be recognised. */
  readonly port: number
  /** Sends a request and waits for its acknowledgement. Rejects with `NetlinkError`. */
  request(type: number, payload: Uint8Array[], flags?: number): Promise<void>
  /**
   * Sends a request without waiting for the result, for objects that may be gone already. A later
   * dump shows the result.
   */
  tell(type: number, payload: Uint8Array[]): void
  /** Queries one object. Rejects with `NetlinkError`, such as `ENODEV`. */
  get(type: number, payload: Uint8Array[]): Promise<Buffer>
  /**
   * All objects of one kind. A dump that changed during the reading is repeated, and one that the
   * kernel refuses because an earlier one has not been read to its end.
   */
  dump(type: number, payload: Uint8Array[]): Promise<readonly Buffer[]>
  close(): void
}

/**
 * The kernel always answers at once. This only prevents that a lost answer blocks the daemon for
 * ever.
 */
const REQUEST_TIMEOUT_MS = 5_000
/** When the package forgets a request without an answer. */
const FORGET_MS = 60_000
const DUMP_ATTEMPTS = 5

/** rtnetlink(7): links, addresses, routes, neighbours. */
export function openRouteNetlink(timeoutMs = REQUEST_TIMEOUT_MS): Netlink {
  return openNetlink(Protocol.ROUTE, timeoutMs)
}

/** The netfilter subsystems, including nftables. */
export function openNetfilterNetlink(): Netlink {
  return openNetlink(Protocol.NETFILTER, REQUEST_TIMEOUT_MS)
}

/** Opens a socket in the calling thread's network namespace, synchronously. */
function openNetlink(protocol: Protocol, timeoutMs: number): Netlink {
  const socket = createNetlink(protocol)
  // Messages were lost (ENOBUFS): who waits for them gives up in time. Without a listener this
  // would end the process.
  socket.on('error', () => undefined)
  const inOrder = createQueue()
  const options = { checkError: false, timeout: FORGET_MS }
  // A request that is given up leaves its dump unread, and the kernel refuses the next one.
  const deadline = {
    clock: kernelClock,
    ms: timeoutMs,
    late: () => new NetlinkError('ETIMEDOUT'),
  }
  const send = async (type: number, payload: Uint8Array[], flags: number) => {
    const [messages] = await withDeadline(deadline, () =>
      socket.request(type, payload, { ...options, flags }),
    )
    for (const message of messages) throwIfError(message)
    return messages
  }
  const dumpOnce = async (type: number, payload: Uint8Array[], isLast: boolean) => {
    try {
      const messages = await send(type, payload, FlagsGet.DUMP)
      const interrupted = messages.some((message) => (message.flags & Flags.DUMP_INTR) !== 0)
      // The last attempt is used even if it is inconsistent, because the next pass reads again.
      return interrupted && !isLast ? null : messages
    } catch (error) {
      if (errnoOf(error) !== 'EBUSY' || isLast) throw error
      await nextTurn()
      return null
    }
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
          const messages = await dumpOnce(type, payload, attempt === DUMP_ATTEMPTS)
          if (messages !== null)
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
