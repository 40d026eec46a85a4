/**
 * Watches for changes by other programs of what Atoll has made in the kernel: rules, routes,
 * addresses, and its links.
 *
 * The kernel notifies of every change in the namespace (rtnetlink(7), nfnetlink). Irrelevant ones
 * are filtered out here. A relevant one only means "look again". When there are too many, the
 * kernel drops notifications and reports it, which also means "look again".
 */
import { createNetlink, Protocol, rt } from 'netlink'
import { LINK_PREFIX, NFT_TABLE } from '../../model/names.ts'
import { MIB } from '../../model/sizes.ts'
import type { Ip } from '../netlink/ip.ts'
import { decodeLink } from '../netlink/ip-decode.ts'
import type { RulesWatch } from '../nftables/rules-watch.ts'
import type { NicLock } from './lock.ts'

/**
 * Groups of linux/rtnetlink.h: links, neighbours, traffic control, addresses, routes, policy rules,
 * settings of links; all IPv4.
 */
const ROUTE_GROUPS = [1, 3, 4, 5, 7, 8, 24] as const
const BUFFER_BYTES = MIB
/** Where struct ndmsg and struct tcmsg have the index of the link. */
const INDEX_OFFSET = 4

/**
 * Calls `heard` for each change that may concern Atoll, except changes of links, routes and
 * addresses by `ip` itself. Returns a function that ends this.
 */
export function watchKernel(
  ip: Ip,
  rules: RulesWatch,
  lock: Pick<NicLock, 'invalidate' | 'watched'>,
  heard: () => void,
): () => void {
  const endings = [
    watchRoutes(ip, lock, heard),
    rules.onChange((tables) => {
      if (tables === null || [...tables].some(isOurs)) heard()
    }),
  ]
  return () => {
    for (const end of endings) end()
  }
}

function watchRoutes(
  ip: Ip,
  lock: Pick<NicLock, 'invalidate' | 'watched'>,
  heard: () => void,
): () => void {
  const buffers = { recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES }
  const socket = ip.inside(() => createNetlink(Protocol.ROUTE, buffers))
  const ours = new Set<number>()
  lock.watched(true)
  socket.on('message', (messages) => {
    for (const { type, data } of messages) invalidateLock(type, data, lock)
    if (messages.some((message) => concerns(message, ours) && message.port !== ip.port)) heard()
  })
  socket.on('error', () => {
    lock.invalidate(null)
    heard()
  })
  for (const group of ROUTE_GROUPS) socket.addMembership(group)
  ip.links().then(
    (links) => {
      for (const { name, index } of links) if (name.startsWith(LINK_PREFIX)) ours.add(index)
    },
    // The next pass finds it.
    () => undefined,
  )
  return () => {
    lock.watched(false)
    socket.close()
  }
}

/** A classifier, or its queueing discipline, was added or removed. */
function invalidateLock(type: number, data: Buffer, lock: Pick<NicLock, 'invalidate'>): void {
  const { MessageType } = rt
  switch (type) {
    case MessageType.NEWQDISC:
    case MessageType.DELQDISC:
    case MessageType.NEWTFILTER:
    case MessageType.DELTFILTER:
      lock.invalidate(data.length >= INDEX_OFFSET + 4 ? data.readInt32LE(INDEX_OFFSET) : null)
  }
}

interface Notification {
  readonly type: number
  readonly data: Buffer
}

function concerns({ type, data }: Notification, ours: Set<number>): boolean {
  const { MessageType } = rt
  switch (type) {
    case MessageType.NEWLINK:
    case MessageType.DELLINK: {
      const [link] = decodeLink(data)
      if (link === undefined) return false
      const isOurs = link.name.startsWith(LINK_PREFIX)
      // Somebody may have renamed one.
      const was = ours.delete(link.index)
      if (isOurs && type === MessageType.NEWLINK) ours.add(link.index)
      return isOurs || was
    }
    // Neighbours of other links change all the time.
    case MessageType.NEWNEIGH:
    case MessageType.DELNEIGH:
    case MessageType.NEWQDISC:
    case MessageType.DELQDISC:
    case MessageType.NEWTFILTER:
    case MessageType.DELTFILTER:
      return data.length >= INDEX_OFFSET + 4 && ours.has(data.readInt32LE(INDEX_OFFSET))
    default:
      return true
  }
}

/** Tables of ours, and that in which Docker makes a chain for others. */
function isOurs(table: string): boolean {
  const [family, name = ''] = table.split(' ')
  return name.startsWith(NFT_TABLE) || (family === 'ip' && name === 'filter')
}
