/**
 * Entries of the connection table that are made anew on another host, for connections of instances
 * that move while they run. Pure.
 *
 * What is not translated needs no more than both ends and a state. TCP's sequence numbers are not
 * judged any more: between two hosts nobody knows how far they are (IP_CT_TCP_FLAG_BE_LIBERAL of
 * linux/netfilter/nf_conntrack_tcp.h).
 */
import { ipv4FromBytes, ipv4ToBytes } from '../../model/addr.ts'
import { type CarriedFlow, MOST_SECONDS, TCP_STATES } from '../../model/carried-flow.ts'
import { PROTOCOLS } from '../../model/group-rule.ts'
import { attributesOf } from '../netlink/attributes.ts'
import {
  attribute,
  CTA,
  HEADER,
  HEADER_BYTES,
  INFO_TCP,
  IP,
  NESTED,
  PROTOCOL,
  TCP_INFO,
  TUPLE_IP,
  TUPLE_PROTOCOL,
} from './conntrack-layout.ts'

/** Bits of enum ip_conntrack_status (linux/netfilter/nf_conntrack_common.h). */
const STATUS = { answered: 1 << 1, assured: 1 << 2, confirmed: 1 << 3, dying: 1 << 9 } as const
const BE_LIBERAL = 1 << 3

type Ends = Pick<CarriedFlow, 'source' | 'sourcePort' | 'destination' | 'destinationPort'>

/**
 * What goes on elsewhere: TCP and UDP that is answered and not translated. Undefined: another
 * entry.
 */
export function carriedIn(entry: Buffer): CarriedFlow | undefined {
  const found = attributesOf(entry.subarray(HEADER_BYTES))
  const original = endsOf(found.get(CTA.original))
  const reply = endsOf(found.get(CTA.reply))
  const status = numberIn(found.get(CTA.status))
  const isAnswered = (status & STATUS.answered) !== 0 && (status & STATUS.dying) === 0
  if (original === undefined || reply === undefined || !isAnswered) return undefined
  const isTranslated =
    reply.source !== original.destination ||
    reply.sourcePort !== original.destinationPort ||
    reply.destination !== original.source ||
    reply.destinationPort !== original.sourcePort
  // Rules of ours use no zones.
  if (isTranslated || numberIn(found.get(CTA.zone)) !== 0) return undefined
  const seconds = Math.min(numberIn(found.get(CTA.timeout)), MOST_SECONDS)
  const isAssured = (status & STATUS.assured) !== 0
  const state = original.protocol === PROTOCOLS.tcp ? tcpState(found.get(CTA.protocolInfo)) : 0
  const isOpen = original.protocol === PROTOCOLS.udp || TCP_STATES.includes(state)
  return isOpen && seconds > 0 ? { ...original, state, seconds, isAssured } : undefined
}

/** The entry as the kernel takes it. */
export function encodeCarried(flow: CarriedFlow): Uint8Array[] {
  const { protocol, source, sourcePort, destination, destinationPort, state, seconds } = flow
  const answer: Ends = {
    ...{ source: destination, sourcePort: destinationPort },
    ...{ destination: source, destinationPort: sourcePort },
  }
  const status = STATUS.confirmed | STATUS.answered | (flow.isAssured ? STATUS.assured : 0)
  // The flags, and which of them count.
  const flags = Buffer.of(BE_LIBERAL, BE_LIBERAL)
  const tcp = Buffer.concat([
    attribute(TCP_INFO.state, Buffer.of(state)),
    attribute(TCP_INFO.flagsOriginal, flags),
    attribute(TCP_INFO.flagsReply, flags),
  ])
  return [
    HEADER,
    attribute(CTA.original | NESTED, encodeEnds(protocol, flow)),
    attribute(CTA.reply | NESTED, encodeEnds(protocol, answer)),
    attribute(CTA.status, bigEndian(status)),
    attribute(CTA.timeout, bigEndian(seconds)),
    ...(protocol === PROTOCOLS.tcp
      ? [attribute(CTA.protocolInfo | NESTED, attribute(INFO_TCP | NESTED, tcp))]
      : []),
  ]
}

/** Undefined: neither TCP nor UDP over IPv4. */
function endsOf(tuple: Buffer | undefined): (Ends & Pick<CarriedFlow, 'protocol'>) | undefined {
  if (tuple === undefined) return undefined
  const parts = attributesOf(tuple)
  const [ip, ports] = [parts.get(TUPLE_IP), parts.get(TUPLE_PROTOCOL)].map((part) =>
    attributesOf(part ?? Buffer.alloc(0)),
  )
  const [source, destination] = [ip?.get(IP.source), ip?.get(IP.destination)]
  const protocol = ports?.get(PROTOCOL.number)?.readUInt8()
  if (source === undefined || destination === undefined) return undefined
  if (protocol !== PROTOCOLS.tcp && protocol !== PROTOCOLS.udp) return undefined
  return {
    protocol,
    source: ipv4FromBytes(source),
    sourcePort: ports?.get(PROTOCOL.sourcePort)?.readUInt16BE() ?? 0,
    destination: ipv4FromBytes(destination),
    destinationPort: ports?.get(PROTOCOL.destinationPort)?.readUInt16BE() ?? 0,
  }
}

function encodeEnds(protocol: number, ends: Ends): Buffer {
  const ip = Buffer.concat([
    attribute(IP.source, Buffer.from(ipv4ToBytes(ends.source))),
    attribute(IP.destination, Buffer.from(ipv4ToBytes(ends.destination))),
  ])
  const ports = Buffer.concat([
    attribute(PROTOCOL.number, Buffer.of(protocol)),
    attribute(PROTOCOL.sourcePort, port(ends.sourcePort)),
    attribute(PROTOCOL.destinationPort, port(ends.destinationPort)),
  ])
  return Buffer.concat([
    attribute(TUPLE_IP | NESTED, ip),
    attribute(TUPLE_PROTOCOL | NESTED, ports),
  ])
}

function tcpState(info: Buffer | undefined): number {
  const tcp = info === undefined ? undefined : attributesOf(info).get(INFO_TCP)
  return tcp === undefined ? 0 : (attributesOf(tcp).get(TCP_INFO.state)?.readUInt8() ?? 0)
}

/** Zero when it is not there. */
function numberIn(bytes: Buffer | undefined): number {
  if (bytes === undefined) return 0
  return bytes.readUIntBE(0, bytes.length)
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function port(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
