/**
 * The packet of `atoll trace`, and the rules that have the kernel report where it goes. Pure.
 *
 * The packet carries a random token where nothing on its way changes it: as the sequence number of
 * TCP, else in the payload. The rule matches that token, so no other packet is traced.
 */
import { type Ipv4, ipv4ToBytes } from '../model/addr.ts'
import { TRACE_TABLE } from '../model/names.ts'
import type { TracedPacket, TraceSending } from '../model/trace.ts'
import { baseChain, chain, tableText } from './nft-tables.ts'

const NUMBERS = { icmp: 1, tcp: 6, udp: 17 } as const
const ETHERNET_HEADER_BYTES = 14
const IP_HEADER_BYTES = 20
const TTL = 64
/** Where the sender of a trace sends from: no program of the instance listens there. */
const SOURCE_PORT = 61_234
const TCP_HEADER_BYTES = 20
const TCP_SYN = 2
const TCP_WINDOW = 1024
const UDP_HEADER_BYTES = 8
const ICMP_HEADER_BYTES = 8
/** The chain that only the traced packet comes to. */
export const TRACE_CHAIN = 'trace'
/** Before the source check, whatever it says. */
const BEFORE_ALL = -500
/** The packet comes by once, or a few times where it is unpacked and forwarded. */
const RATE = 'limit rate 10/second burst 10 packets'

/** The script that makes the table, anew if it is there. */
export function traceScript(packet: TracedPacket): string {
  return [
    removeTraceScript(),
    ...tableText({
      ...{ family: 'inet', name: TRACE_TABLE },
      objects: [
        chain(TRACE_CHAIN, [`${RATE} meta nftrace set 1`]),
        baseChain(
          'prerouting',
          `type filter hook prerouting priority ${BEFORE_ALL}; policy accept;`,
          [`${matchOf(packet)} goto ${TRACE_CHAIN}`],
        ),
      ],
    }),
    '',
  ].join('\n')
}

/** The script that removes it, if it is there. */
export function removeTraceScript(): string {
  return `add table inet ${TRACE_TABLE}\ndelete table inet ${TRACE_TABLE}\n`
}

function matchOf({ protocol, identification, token }: TracedPacket): string {
  const id = `meta nfproto ipv4 ip id ${identification}`
  if (protocol === 'tcp') return `${id} tcp sequence ${token}`
  const offset = (protocol === 'udp' ? UDP_HEADER_BYTES : ICMP_HEADER_BYTES) * 8
  return `${id} meta l4proto ${protocol} @th,${offset},32 ${token}`
}

/** The packet in an Ethernet frame without addresses. */
export function traceFrame(packet: TracedPacket, sending: TraceSending): Uint8Array {
  const { source, destination } = sending
  const body = bodyOf(packet, sending)
  const protocol = NUMBERS[packet.protocol]
  const frame = new Uint8Array(ETHERNET_HEADER_BYTES + IP_HEADER_BYTES + body.length)
  const view = new DataView(frame.buffer)
  view.setUint16(ETHERNET_HEADER_BYTES - 2, 0x0800)
  const ip = ETHERNET_HEADER_BYTES
  view.setUint8(ip, 0x45)
  view.setUint16(ip + 2, IP_HEADER_BYTES + body.length)
  view.setUint16(ip + 4, packet.identification)
  view.setUint8(ip + 8, TTL)
  view.setUint8(ip + 9, protocol)
  const addresses = [...ipv4ToBytes(source as Ipv4), ...ipv4ToBytes(destination as Ipv4)]
  frame.set(addresses, ip + 12)
  view.setUint16(ip + 10, checksum(frame.subarray(ip, ip + IP_HEADER_BYTES)))
  frame.set(withChecksum(body, packet.protocol, addresses), ip + IP_HEADER_BYTES)
  return frame
}

function bodyOf({ protocol, token }: TracedPacket, { port, code }: TraceSending): Uint8Array {
  const header = { tcp: TCP_HEADER_BYTES, udp: UDP_HEADER_BYTES, icmp: ICMP_HEADER_BYTES }[protocol]
  const body = new Uint8Array(protocol === 'tcp' ? header : header + 8)
  const view = new DataView(body.buffer)
  if (protocol === 'icmp') {
    view.setUint8(0, port)
    view.setUint8(1, code)
    view.setUint16(4, SOURCE_PORT)
    view.setUint32(header, token)
    return body
  }
  view.setUint16(0, SOURCE_PORT)
  view.setUint16(2, port)
  if (protocol === 'udp') {
    view.setUint16(4, body.length)
    view.setUint32(header, token)
    return body
  }
  view.setUint32(4, token)
  view.setUint8(12, (TCP_HEADER_BYTES / 4) << 4)
  view.setUint8(13, TCP_SYN)
  view.setUint16(14, TCP_WINDOW)
  return body
}

/** With the checksum of its protocol (RFC 792, 768, 9293). That of ICMP covers no addresses. */
function withChecksum(
  body: Uint8Array,
  protocol: TracedPacket['protocol'],
  addresses: readonly number[],
): Uint8Array {
  const at = { icmp: 2, tcp: 16, udp: 6 }[protocol]
  const length = [body.length >> 8, body.length & 0xff]
  const pseudo = protocol === 'icmp' ? [] : [...addresses, 0, NUMBERS[protocol], ...length]
  const sum = checksum(Uint8Array.from([...pseudo, ...body]))
  const summed = Uint8Array.from(body)
  // In UDP, zero means none.
  new DataView(summed.buffer).setUint16(at, sum === 0 && protocol === 'udp' ? 0xffff : sum)
  return summed
}

/** RFC 1071. */
function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
