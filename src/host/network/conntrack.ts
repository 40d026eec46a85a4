/**
 * Deletes entries of the connection table (nfnetlink, subsystem ctnetlink), because the kernel goes
 * on accepting the packets of known connections.
 *
 * Since Linux 6.11 the kernel itself deletes by a filter. 65,000 entries take it a quarter of a
 * second, so the request is sent from another thread. With older kernels, the matching entries are
 * listed (5.8) and deleted in small portions, which takes seconds.
 *
 * It also reads and makes those of instances that move while they run (`carried-entries.ts`).
 */
import { FlagsNew, parseAttributes } from 'netlink'
import { nextTurn } from '../../lib/clock.ts'
import { errnoOf } from '../../lib/errno.ts'
import type { Ipv4 } from '../../model/addr.ts'
import { ipv4FromBytes, ipv4ToBytes } from '../../model/addr.ts'
import type { CarriedFlow } from '../../model/carried-flow.ts'
import type { Count } from '../../model/counters.ts'
import type { Flow, FlowTraffic, TrackedFlow } from '../../model/flow.ts'
import { attributesOf, uint32 } from '../netlink/attributes.ts'
import { type Netlink, openNetfilterNetlink } from '../netlink/netlink.ts'
import { openThreadedNetlink, type ThreadedNetlink } from '../netlink/threaded-netlink.ts'
import { carriedIn, encodeCarried } from './carried-entries.ts'
import {
  attribute,
  COUNTER,
  COUNTS,
  CTA,
  DELETE,
  FILTER,
  GET,
  HEADER,
  HEADER_BYTES,
  IP,
  NESTED,
  NEW,
  PROTOCOL,
  TUPLE_IP,
  TUPLE_PROTOCOL,
} from './conntrack-layout.ts'
import { here, type Inside } from './netns.ts'
import { ensureSetting, readSetting } from './sysctl.ts'

/**
 * Connections of an address, in whichever part they have it, before address translation or after.
 */
export interface FlowFilter {
  readonly address: Ipv4
}

/** Entries that are deleted before other work may run: about a millisecond. */
const PORTION = 64

type Side = 'original' | 'reply'
type End = 'source' | 'destination'
const PLACES: readonly (readonly [Side, End])[] = [
  ['original', 'source'],
  ['original', 'destination'],
  ['reply', 'source'],
  ['reply', 'destination'],
]

/** The kernel's connection table. */
export interface Conntrack {
  /** Deletes every entry that fits. Errors: the kernel's own. */
  forget(filter: FlowFilter): Promise<void>
  /**
   * Deletes every IPv4 entry that `isOver` is true of. Returns their number. Errors: the kernel's
   * own.
   */
  end(isOver: (flow: TrackedFlow) => boolean): Promise<number>
  /**
   * Every IPv4 entry that has counters, and has those counted from now on that begin. Errors: the
   * kernel's own.
   */
  traffic(): Promise<readonly FlowTraffic[]>
  /** Those of an address that can go on elsewhere. Errors: the kernel's own. */
  carried(address: Ipv4): Promise<readonly CarriedFlow[]>
  /**
   * Makes an entry for each, by which the packets from its middle are known. One that there is
   * already goes on with whatever sequence numbers come. Errors: the kernel's own, when all were
   * tried.
   */
  carryOn(flows: readonly CarriedFlow[]): Promise<void>
  close(): void
}

/**
 * Of the namespace that `inside` enters. `isOld` treats the kernel as one that cannot delete by a
 * filter.
 */
export function createConntrack(
  options: { readonly isOld?: boolean; readonly inside?: Inside } = {},
): Conntrack {
  const { inside = here } = options
  let sockets: { readonly netlink: Netlink; readonly threaded: ThreadedNetlink } | null = null
  // Opened when they are needed: a host may have hundreds of namespaces.
  const open = () => {
    sockets ??= inside(() => ({
      netlink: openNetfilterNetlink(),
      threaded: openThreadedNetlink(),
    }))
    return sockets
  }
  const isEmpty = () => inside(() => readSetting('netfilter/nf_conntrack_count')) === '0'
  let isOld = options.isOld ?? false
  return {
    async forget({ address }) {
      // An empty table need not be walked.
      if (isEmpty()) return
      const { netlink, threaded } = open()
      for (const [side, end] of PLACES) {
        const query = encode(side, end, address)
        if (!isOld)
          try {
            await threaded.request(DELETE, query)
            continue
          } catch (error) {
            // An older kernel takes the filter for an incomplete entry.
            if (errnoOf(error) !== 'EINVAL') throw error
            isOld = true
          }
        await deleteWhere(netlink, await threaded.dump(GET, query), () => true)
      }
    },
    async end(isOver) {
      if (isEmpty()) return 0
      const { netlink, threaded } = open()
      return await deleteWhere(netlink, await threaded.dump(GET, [HEADER]), (entry) => {
        const flow = flowOf(entry)
        return flow !== undefined && isOver(flow)
      })
    },
    async traffic() {
      inside(() => ensureSetting('netfilter/nf_conntrack_acct', '1'))
      if (isEmpty()) return []
      const found: FlowTraffic[] = []
      const entries = await open().threaded.dump(GET, [HEADER])
      for (let at = 0; at < entries.length; at += PORTION) {
        for (const entry of entries.slice(at, at + PORTION)) {
          const traffic = trafficOf(entry)
          if (traffic !== undefined) found.push(traffic)
        }
        await nextTurn()
      }
      return found
    },
    async carried(address) {
      if (isEmpty()) return []
      const { threaded } = open()
      const found: CarriedFlow[] = []
      for (const end of ['source', 'destination'] as const)
        for (const entry of await threaded.dump(GET, encode('original', end, address))) {
          const flow = carriedIn(entry)
          // Kernels before 5.8 take no filter.
          if (flow?.[end] === address) found.push(flow)
        }
      return found
    },
    async carryOn(flows) {
      const { netlink } = open()
      const made = flows.map((flow) => netlink.request(NEW, encodeCarried(flow), FlagsNew.CREATE))
      const failed = (await Promise.allSettled(made)).find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
    },
    close() {
      sockets?.netlink.close()
      sockets?.threaded.close()
    },
  }
}

/** Deletes those entries that fit, in small portions. Returns their number. */
async function deleteWhere(
  netlink: Netlink,
  entries: readonly Buffer[],
  fits: (entry: Buffer) => boolean,
): Promise<number> {
  let deleted = 0
  for (let at = 0; at < entries.length; at += PORTION) {
    for (const entry of entries.slice(at, at + PORTION)) {
      if (!fits(entry)) continue
      netlink.tell(DELETE, nameOf(entry))
      deleted += 1
    }
    await nextTurn()
  }
  return deleted
}

function encode(side: Side, end: End, address: Ipv4): Uint8Array[] {
  const ip = attribute(TUPLE_IP | NESTED, attribute(IP[end], Buffer.from(ipv4ToBytes(address))))
  const filter = [
    attribute(FILTER.original, uint32(side === 'original' ? COUNTS[end] : 0)),
    attribute(FILTER.reply, uint32(side === 'reply' ? COUNTS[end] : 0)),
  ]
  return [
    HEADER,
    attribute(CTA[side] | NESTED, ip),
    attribute(CTA.filter | NESTED, Buffer.concat(filter)),
  ]
}

/** What identifies one entry: its original direction, its id and its zone. */
function nameOf(entry: Buffer): Uint8Array[] {
  const parts: Uint8Array[] = [HEADER]
  parseAttributes(entry.subarray(HEADER_BYTES), ({ type, data }) => {
    if (type === CTA.original) parts.push(attribute(type | NESTED, data))
    else if (type === CTA.id || type === CTA.zone) parts.push(attribute(type, data))
  })
  return parts
}

/** The entry as a flow; undefined when it is not one of IPv4. */
function flowOf(entry: Buffer): TrackedFlow | undefined {
  let original: Tuple = NO_TUPLE
  let reply: Tuple = NO_TUPLE
  parseAttributes(entry.subarray(HEADER_BYTES), ({ type, data }) => {
    if (type === CTA.original) original = tupleOf(data)
    else if (type === CTA.reply) reply = tupleOf(data)
  })
  const { source, destination, protocol, port, code } = original
  if (source === undefined || destination === undefined || protocol === undefined) return undefined
  const { source: answerFrom = destination, destination: answerTo = source } = reply
  return { source, destination, protocol, port, code, answerFrom, answerTo }
}

/** The entry with its counters; undefined when it has none, or is not one of IPv4. */
function trafficOf(entry: Buffer): FlowTraffic | undefined {
  const flow = flowOf(entry)
  const found = attributesOf(entry.subarray(HEADER_BYTES))
  const [id, sent, answered] = [found.get(CTA.id), found.get(CTA.sent), found.get(CTA.answered)]
  if (flow === undefined || id === undefined || sent === undefined || answered === undefined)
    return undefined
  return {
    ...flow,
    id: id.toString('hex'),
    sourcePort: sourcePortOf(found.get(CTA.original)),
    sent: countOf(sent),
    answered: countOf(answered),
  }
}

function countOf(nested: Buffer): Count {
  const found = attributesOf(nested)
  const number = (type: number) => Number(found.get(type)?.readBigUInt64BE() ?? 0)
  return { packets: number(COUNTER.packets), bytes: number(COUNTER.bytes) }
}

function sourcePortOf(tuple: Buffer | undefined): number {
  const protocol = tuple === undefined ? undefined : attributesOf(tuple).get(TUPLE_PROTOCOL)
  if (protocol === undefined) return 0
  return attributesOf(protocol).get(PROTOCOL.sourcePort)?.readUInt16BE() ?? 0
}

/** One direction of an entry. */
type Tuple = Partial<Pick<Flow, 'source' | 'destination' | 'protocol'>> &
  Pick<Flow, 'port' | 'code'>
const NO_TUPLE: Tuple = { port: 0, code: 0 }

function tupleOf(tuple: Buffer): Tuple {
  const found: { source?: Ipv4; destination?: Ipv4; protocol?: number } = {}
  let port = 0
  let code = 0
  const ofProtocol = (data: Buffer) =>
    parseAttributes(data, ({ type, data }) => {
      if (type === PROTOCOL.number) found.protocol = data.readUInt8()
      else if (type === PROTOCOL.destinationPort) port = data.readUInt16BE()
      else if (type === PROTOCOL.icmpType) port = data.readUInt8()
      else if (type === PROTOCOL.icmpCode) code = data.readUInt8()
    })
  const ofAddresses = (data: Buffer) =>
    parseAttributes(data, ({ type, data }) => {
      if (type === IP.source) found.source = ipv4FromBytes(data)
      else if (type === IP.destination) found.destination = ipv4FromBytes(data)
    })
  parseAttributes(tuple, ({ type, data }) => {
    if (type === TUPLE_IP) ofAddresses(data)
    else if (type === TUPLE_PROTOCOL) ofProtocol(data)
  })
  return { ...found, port, code }
}
