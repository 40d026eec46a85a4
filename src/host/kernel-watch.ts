/**
 * Hears when somebody changes what Atoll has made in the kernel: rules, routes, addresses, and its links with all that is on them.
 *
 * The kernel tells of every change in the namespace (rtnetlink(7), nfnetlink): what is of no interest is sorted out here, cheaply, and
 * what remains means no more than "look again". Told too much at once, the kernel drops notifications and says so; that is a reason to
 * look, too.
 */
import { createNetlink, Protocol, RawNetlinkSocket, rt } from 'netlink'
import { LINK_PREFIX } from '../model/names.ts'
import type { Ip } from './ip.ts'
import { decodeLink } from './ip-decode.ts'

/** Groups of linux/rtnetlink.h: links, neighbours, traffic control, addresses, routes, policy rules, settings of links; all IPv4. */
const ROUTE_GROUPS = [1, 3, 4, 5, 7, 8, 24] as const
/** NFNLGRP_NFTABLES of linux/nfnetlink.h. */
const RULES_GROUP = 7
const BUFFER_BYTES = 1024 * 1024
/** Where struct ndmsg and struct tcmsg have the index of the link. */
const INDEX_OFFSET = 4

/**
 * Calls `heard` for each change that may concern us, but for those of links, routes and addresses that `ip` itself makes. Returns what
 * ends it. The links that `ip` knows already are ours to hear of, too.
 */
export function watchKernel(ip: Ip, heard: () => void): () => void {
  const endings = [watchRoutes(ip, heard), watchRules(heard)]
  return () => {
    for (const end of endings) end()
  }
}

function watchRoutes(ip: Ip, heard: () => void): () => void {
  const socket = createNetlink(Protocol.ROUTE, {
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
  })
  const ours = new Set<number>()
  socket.on('message', (messages) => {
    if (messages.some((message) => concerns(message, ours) && message.port !== ip.port)) heard()
  })
  socket.on('error', heard)
  for (const group of ROUTE_GROUPS) socket.addMembership(group)
  ip.links().then(
    (links) => {
      for (const { name, index } of links) if (name.startsWith(LINK_PREFIX)) ours.add(index)
    },
    // Then the next pass finds it.
    () => undefined,
  )
  return () => socket.close()
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

/** Which rules were changed the kernel tells one by one; only that some were is looked at. */
function watchRules(heard: () => void): () => void {
  const socket = new RawNetlinkSocket(Protocol.NETFILTER, {
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
  })
  socket.unref()
  socket.on('message', heard)
  socket.on('error', heard)
  socket.addMembership(RULES_GROUP)
  return () => socket.close()
}
