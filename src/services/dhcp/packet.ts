/**
 * The DHCP wire format: messages as bytes and as values. Pure.
 *
 * It knows the BOOTP header (RFC 2131 section 2), options (RFC 2132 section 2), option overload
 * (RFC 2131 section 4.1, RFC 2132 section 9.3) and long options (RFC 3396), but not what they mean.
 * `parsePacket` never throws. `formatPacket` never exceeds the given size.
 */
import type { Ipv4 } from '../../model/addr.ts'
import { ipv4FromBytes, ipv4ToNumber } from '../../model/addr.ts'

/**
 * Codes of the options that the server reads or writes (RFC 2132; RFC 3397 for 119, RFC 3442 for
 * 121).
 */
export const OPTION = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  domainNameServer: 6,
  hostName: 12,
  domainName: 15,
  interfaceMtu: 26,
  broadcastAddress: 28,
  timeServers: 42,
  netbiosNameServers: 44,
  netbiosNodeType: 46,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequestList: 55,
  message: 56,
  maximumMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
  domainSearch: 119,
  classlessRoutes: 121,
  end: 255,
} as const

/** Numbers of the DHCP message types (RFC 2132 section 9.6). */
export const MESSAGE_TYPE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const

export type MessageType = keyof typeof MESSAGE_TYPE

/**
 * A DHCP message. Fields are named as in RFC 2131, figure 1. `sname` and `file` are only used for
 * options that do not fit elsewhere.
 */
export interface Packet {
  readonly op: 'request' | 'reply'
  readonly htype: number
  readonly hops: number
  readonly xid: number
  readonly secs: number
  /**
   * The only defined bit of `flags` (RFC 2131, figure 2). The others are ignored, and sent as zero.
   */
  readonly broadcast: boolean
  readonly ciaddr: Ipv4
  readonly yiaddr: Ipv4
  readonly siaddr: Ipv4
  readonly giaddr: Ipv4
  /** The hardware address without padding, at most 16 bytes. */
  readonly chaddr: Uint8Array
  /**
   * Values by code, in order of appearance. The parts of a long option are joined (RFC 3396). The
   * pad, overload and end options belong to the wire format and are not in here.
   */
  readonly options: ReadonlyMap<number, Uint8Array>
}

/** Code and value of an option. */
export type Option = readonly [code: number, value: Uint8Array]

/** A message to send. Each option is in it once. */
export interface Outgoing extends Omit<Packet, 'options'> {
  readonly options: Iterable<Option>
}

export type Malformed =
  | 'too-short'
  | 'too-long'
  | 'bad-op'
  | 'bad-hardware-length'
  | 'no-cookie'
  | 'option-overrun'
  | 'bad-overload'

export type Parsed =
  | { readonly kind: 'packet'; readonly packet: Packet }
  | { readonly kind: 'malformed'; readonly reason: Malformed }

/**
 * The longest message that is read: what an Ethernet frame holds. Clients have no reason to send
 * more.
 */
const MAX_PACKET_BYTES = 1500
/**
 * The shortest message that is sent. Old clients and relays require the size of a BOOTP packet (RFC
 * 1542 section 2.1).
 */
const MIN_PACKET_BYTES = 300
/** IPv4 header without options, and UDP header. */
export const IP_UDP_HEADER_BYTES = 28
/**
 * The size that every client accepts, headers included (RFC 2131 section 2: 312 bytes of options,
 * which makes 576).
 */
export const MIN_MAX_MESSAGE_BYTES = 576

const CHADDR_OFFSET = 28
const CHADDR_BYTES = 16
const SNAME_OFFSET = 44
const FILE_OFFSET = 108
const COOKIE_OFFSET = 236
const OPTIONS_OFFSET = 240
const SNAME_BYTES = FILE_OFFSET - SNAME_OFFSET
const FILE_BYTES = COOKIE_OFFSET - FILE_OFFSET
/** 99.130.83.99 (RFC 2131 section 3). */
const COOKIE = 0x63825363
const BROADCAST_FLAG = 0x8000
const OVERLOAD_OPTION_BYTES = 3
const MAX_OPTION_PART_BYTES = 255
const OVERLOAD_FILE = 1
const OVERLOAD_SNAME = 2

/** Parses the bytes of a datagram. Says why when they are not a message. */
export function parsePacket(bytes: Uint8Array): Parsed {
  if (bytes.length < OPTIONS_OFFSET) return { kind: 'malformed', reason: 'too-short' }
  if (bytes.length > MAX_PACKET_BYTES) return { kind: 'malformed', reason: 'too-long' }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const op = view.getUint8(0)
  if (op !== 1 && op !== 2) return { kind: 'malformed', reason: 'bad-op' }
  const hlen = view.getUint8(2)
  if (hlen > CHADDR_BYTES) return { kind: 'malformed', reason: 'bad-hardware-length' }
  if (view.getUint32(COOKIE_OFFSET) !== COOKIE) return { kind: 'malformed', reason: 'no-cookie' }
  const options = readOptions(bytes)
  if (typeof options === 'string') return { kind: 'malformed', reason: options }
  const packet: Packet = {
    op: op === 1 ? 'request' : 'reply',
    htype: view.getUint8(1),
    hops: view.getUint8(3),
    xid: view.getUint32(4),
    secs: view.getUint16(8),
    broadcast: (view.getUint16(10) & BROADCAST_FLAG) !== 0,
    ciaddr: ipv4FromBytes(bytes, 12),
    yiaddr: ipv4FromBytes(bytes, 16),
    siaddr: ipv4FromBytes(bytes, 20),
    giaddr: ipv4FromBytes(bytes, 24),
    chaddr: bytes.slice(CHADDR_OFFSET, CHADDR_OFFSET + hlen),
    options,
  }
  return { kind: 'packet', packet }
}

/**
 * Encodes a message in at least 300 and at most `maxBytes` bytes of UDP payload (at least 300,
 * too). Options that do not fit the options field go into `file` and `sname` (overload). Those that
 * fit nowhere are left out. The first option, by convention the message type, always stays in the
 * options field, where every client looks first.
 */
export function formatPacket(packet: Outgoing, maxBytes: number): Uint8Array {
  const fields = layOut(packet, Math.max(maxBytes, MIN_PACKET_BYTES))
  const length = Math.max(MIN_PACKET_BYTES, OPTIONS_OFFSET + fields.optionBytes + 1)
  // From the pool: memory of its own takes longer than the rest of this function.
  const { buffer, byteOffset } = Buffer.allocUnsafe(length)
  const bytes = new Uint8Array(buffer, byteOffset, length).fill(0)
  const view = new DataView(buffer, byteOffset, length)
  view.setUint8(0, packet.op === 'request' ? 1 : 2)
  view.setUint8(1, packet.htype)
  view.setUint8(2, packet.chaddr.length)
  view.setUint8(3, packet.hops)
  view.setUint32(4, packet.xid)
  view.setUint16(8, packet.secs)
  view.setUint16(10, packet.broadcast ? BROADCAST_FLAG : 0)
  view.setUint32(12, ipv4ToNumber(packet.ciaddr))
  view.setUint32(16, ipv4ToNumber(packet.yiaddr))
  view.setUint32(20, ipv4ToNumber(packet.siaddr))
  view.setUint32(24, ipv4ToNumber(packet.giaddr))
  bytes.set(packet.chaddr.subarray(0, CHADDR_BYTES), CHADDR_OFFSET)
  view.setUint32(COOKIE_OFFSET, COOKIE)
  writeField(bytes, OPTIONS_OFFSET, fields.options)
  if (fields.file.length > 0) writeField(bytes, FILE_OFFSET, fields.file)
  if (fields.sname.length > 0) writeField(bytes, SNAME_OFFSET, fields.sname)
  return bytes
}

function readOptions(bytes: Uint8Array): Map<number, Uint8Array> | Malformed {
  const options = new Map<number, Uint8Array>()
  if (!readField(bytes.subarray(OPTIONS_OFFSET), options)) return 'option-overrun'
  const overload = options.get(OPTION.overload)
  if (overload === undefined) return options
  options.delete(OPTION.overload)
  const [which] = overload
  if (overload.length !== 1 || which === undefined || which < 1 || which > 3) return 'bad-overload'
  // RFC 2131 section 4.1 requires this order: options, then file, then sname.
  const fileIsWell =
    (which & OVERLOAD_FILE) === 0 || readField(bytes.subarray(FILE_OFFSET, COOKIE_OFFSET), options)
  const snameIsWell =
    (which & OVERLOAD_SNAME) === 0 || readField(bytes.subarray(SNAME_OFFSET, FILE_OFFSET), options)
  if (!fileIsWell || !snameIsWell) return 'option-overrun'
  // "file" and "sname" must not overload again (RFC 3396 section 5).
  options.delete(OPTION.overload)
  return options
}

/**
 * Adds the options of a field. False when one exceeds the field. A field may lack the end option,
 * because some clients fill it to the last byte.
 */
function readField(field: Uint8Array, into: Map<number, Uint8Array>): boolean {
  let at = 0
  while (at < field.length) {
    const code = field[at]
    at += 1
    if (code === undefined || code === OPTION.end) return true
    if (code === OPTION.pad) continue
    const length = field[at]
    if (length === undefined || at + 1 + length > field.length) return false
    const part = field.slice(at + 1, at + 1 + length)
    const before = into.get(code)
    into.set(code, before === undefined ? part : join(before, part))
    at += 1 + length
  }
  return true
}

interface Fields {
  readonly options: readonly Option[]
  /** Size of `options` when encoded. */
  readonly optionBytes: number
  readonly file: readonly Option[]
  readonly sname: readonly Option[]
}

/**
 * Decides which option goes where. If all fit, they go into the options field. Otherwise each goes
 * into the first field with enough space, longest first, because only the options field takes a
 * long one.
 */
function layOut(packet: Outgoing, maxBytes: number): Fields {
  const all = [...packet.options]
  const room = maxBytes - OPTIONS_OFFSET - 1
  const optionBytes = sizeOf(all)
  if (optionBytes <= room) return { options: all, optionBytes, file: [], sname: [] }
  const options: Option[] = []
  const file: Option[] = []
  const sname: Option[] = []
  const places = [
    { parts: options, free: room - OVERLOAD_OPTION_BYTES },
    { parts: file, free: FILE_BYTES - 1 },
    { parts: sname, free: SNAME_BYTES - 1 },
  ]
  const [first, ...others] = all
  const byLength = others.sort((a, b) => encodedBytes(b) - encodedBytes(a))
  for (const option of first === undefined ? byLength : [first, ...byLength]) {
    const place = places.find(({ free }) => encodedBytes(option) <= free)
    if (place === undefined) continue
    place.parts.push(option)
    place.free -= encodedBytes(option)
  }
  const overload = (file.length > 0 ? OVERLOAD_FILE : 0) | (sname.length > 0 ? OVERLOAD_SNAME : 0)
  if (overload > 0) options.push([OPTION.overload, Uint8Array.of(overload)])
  return { options, optionBytes: sizeOf(options), file, sname }
}

/** Size when encoded. Each part has at most 255 bytes, and a code and a length before it. */
function encodedBytes([, value]: Option): number {
  const { length } = value
  return (
    length + 2 * (length <= MAX_OPTION_PART_BYTES ? 1 : Math.ceil(length / MAX_OPTION_PART_BYTES))
  )
}

function sizeOf(options: readonly Option[]): number {
  let size = 0
  for (const option of options) size += encodedBytes(option)
  return size
}

/** Encodes options. A value over 255 bytes becomes several parts in a row (RFC 3396 section 5). */
function writeField(bytes: Uint8Array, offset: number, options: readonly Option[]): void {
  let at = offset
  for (const [code, value] of options) {
    let from = 0
    do {
      const length = Math.min(value.length - from, MAX_OPTION_PART_BYTES)
      bytes[at] = code
      bytes[at + 1] = length
      bytes.set(length === value.length ? value : value.subarray(from, from + length), at + 2)
      at += 2 + length
      from += length
    } while (from < value.length)
  }
  bytes[at] = OPTION.end
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
