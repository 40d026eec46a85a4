/**
 * Hears when somebody changes what Atoll has made in the kernel: rules, routes, addresses, and its
 * links with all that is on them.
 *
 * The kernel tells of every change in the namespace (rtnetlink(7), nfnetlink): what is of no
 * interest is sorted out here, cheaply, and what remains means no more than "look again". Told too
 * much at once, the kernel drops notifications and says so; that is a reason to look, too.
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
 * Calls `heard` for each change that may concern us, but for those of links, routes and addresses
 * that `ip` itself makes. Returns what ends it. The links that `ip` knows already are ours to hear
 * of, too.
 */
export function watchKernel(
  ip: Ip,
  rules: RulesWatch,
  lock: Pick<NicLock, 'doubt' | 'watched'>,
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
  lock: Pick<NicLock, 'doubt' | 'watched'>,
  heard: () => void,
): () => void {
  const socket = createNetlink(Protocol.ROUTE, {
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
  })
  const ours = new Set<number>()
  lock.watched(true)
  socket.on('message', (messages) => {
    for (const { type, data } of messages) doubtLock(type, data, lock)
    if (messages.some((message) => concerns(message, ours) && message.port !== ip.port)) heard()
  })
  socket.on('error', () => {
    lock.doubt(null)
    heard()
  })
  for (const group of ROUTE_GROUPS) socket.addMembership(group)
  ip.links().then(
    (links) => {
      for (const { name, index } of links) if (name.startsWith(LINK_PREFIX)) ours.add(index)
    },
    // Then the next pass finds it.
    () => undefined,
  )
  return () => {
    lock.watched(false)
    socket.close()
  }
}

/** A classifier, or what carries it, was made or removed. */
function doubtLock(type: number, data: Buffer, lock: Pick<NicLock, 'doubt'>): void {
  const { MessageType } = rt
  switch (type) {
    case MessageType.NEWQDISC:
    case MessageType.DELQDISC:
    case MessageType.NEWTFILTER:
    case MessageType.DELTFILTER:
      lock.doubt(data.length >= INDEX_OFFSET + 4 ? data.readInt32LE(INDEX_OFFSET) : null)
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
      if (link === undefined || !link.name.startsWith(LINK_PREFIX)) return false
      if (type === MessageType.NEWLINK) ours.add(link.index)
      else ours.delete(link.index)
      return true
    }
    // Neighbours of other links come and go all the time, as their own traffic wants it.
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
