/** Messages of rtnetlink(7) for the lock: policy rules and classifiers of traffic control. Pure. */
import { AttrStream } from 'netlink'
import { type Ipv4, ipv4ToBytes } from '../../model/addr.ts'
import {
  CLASSIFIER_NAME,
  LOCK_RULE_PRIORITY,
  ROUTE_PROTOCOL,
  UNVERIFIED_MARK,
} from '../../model/names.ts'
import { uint32 } from './attributes.ts'
import { AF_INET } from './ip-decode.ts'
import type { Payload } from './ip-encode.ts'

/** FRA_… attributes, FR_ACT_TO_TBL and FR_ACT_BLACKHOLE (linux/fib_rules.h). */
const RULE = {
  ...{ source: 2, priority: 6, mark: 10, mask: 16, protocol: 21 },
  ...{ toTable: 1, blackhole: 6 },
} as const
/** TCA_… and TCA_BPF_… attributes (linux/rtnetlink.h, linux/pkt_cls.h). */
const TCA = { kind: 1, options: 2, fd: 6, name: 7, flags: 8, direct: 1 } as const
/** TC_H_CLSACT and its two parents (linux/pkt_sched.h). */
const CLSACT = { handle: 0xffff_0000, parent: 0xffff_fff1 } as const
/** The two directions of a link, as the link sees packets. */
export const PARENTS = { ingress: 0xffff_fff2, egress: 0xffff_fff3 } as const
/** ETH_P_ALL in network order, preceded by our priority. */
const ALL_PROTOCOLS = Buffer.of(0, 3).readUInt16LE()
const FILTER_PRIORITY = 167
const ADDRESS_BITS = 32

/** Packets with an unverified source are not routed. */
export function encodeLockRule(): Payload {
  const out = new AttrStream()
  const header = Buffer.alloc(12)
  header.writeUInt8(AF_INET, 0)
  header.writeUInt8(RULE.blackhole, 7)
  out.emit(header)
  out.push(RULE.priority, uint32(LOCK_RULE_PRIORITY))
  out.push(RULE.mark, uint32(UNVERIFIED_MARK))
  out.push(RULE.mask, uint32(UNVERIFIED_MARK))
  out.push(RULE.protocol, Buffer.of(ROUTE_PROTOCOL))
  return out.bufs
}

/**
 * What is sent from an address is routed by a table, which is the rule's priority, too. Without a
 * table, every such rule is meant.
 */
export function encodeRuleFrom(ip: Ipv4, table: number | null): Payload {
  const out = new AttrStream()
  const header = Buffer.alloc(12)
  header.writeUInt8(AF_INET, 0)
  header.writeUInt8(ADDRESS_BITS, 2)
  header.writeUInt8(table ?? 0, 4)
  header.writeUInt8(table === null ? 0 : RULE.toTable, 7)
  out.emit(header)
  out.push(RULE.source, Buffer.from(ipv4ToBytes(ip)))
  if (table !== null) out.push(RULE.priority, uint32(table))
  out.push(RULE.protocol, Buffer.of(ROUTE_PROTOCOL))
  return out.bufs
}

/** The queueing discipline that carries classifiers on a link. */
export function encodeClsact(index: number): Payload {
  const out = new AttrStream()
  out.emit(trafficHeader(index, CLSACT.handle, CLSACT.parent, 0))
  out.push(TCA.kind, Buffer.from('clsact\0'))
  return out.bufs
}

/** A loaded program for one direction of a link. */
export function encodeClassifier(
  index: number,
  side: keyof typeof PARENTS,
  program: number,
): Payload {
  const out = new AttrStream()
  const info = ((FILTER_PRIORITY << 16) | ALL_PROTOCOLS) >>> 0
  out.emit(trafficHeader(index, 1, PARENTS[side], info))
  out.push(TCA.kind, Buffer.from('bpf\0'))
  const options = new AttrStream()
  options.push(TCA.fd, uint32(program))
  options.push(TCA.name, Buffer.from(`${CLASSIFIER_NAME}\0`))
  options.push(TCA.flags, uint32(TCA.direct))
  out.push(TCA.options, options.bufs)
  return out.bufs
}

/** Queries the queueing disciplines of all links. */
export function encodeQdiscQuery(): Payload {
  return [trafficHeader(0, 0, 0, 0)]
}

/** Queries the classifiers in one direction of a link. */
export function encodeClassifierQuery(index: number, side: keyof typeof PARENTS): Payload {
  return [trafficHeader(index, 0, PARENTS[side], 0)]
}

/** struct tcmsg (linux/rtnetlink.h). */
function trafficHeader(index: number, handle: number, parent: number, info: number): Buffer {
  const header = Buffer.alloc(20)
  new Uint32Array(header.buffer, header.byteOffset, 5).set([0, index, handle, parent, info])
  return header
}
