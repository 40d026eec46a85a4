/**
 * What the DHCP server says to a message: a reply, a note, or nothing, with the reason. Pure.
 *
 * The server allocates nothing: each NIC has the one address that its record names, so a question
 * has at most one right answer and no lease is ever remembered (RFC 2131 section 4.3; manual
 * allocation of section 1). The caller proves by its socket which NIC asked; nothing in the message
 * is trusted to say so.
 */
import type { Ipv4 } from '../../model/addr.ts'
import { ipv4, ipv4FromBytes } from '../../model/addr.ts'
import { assertNever } from '../../model/errors.ts'
import type { Option, Profile } from './options.ts'
import { requested } from './options.ts'
import type { Malformed, MessageType, Packet } from './packet.ts'
import {
  formatPacket,
  IP_UDP_HEADER_BYTES,
  MESSAGE_TYPE,
  MIN_MAX_MESSAGE_BYTES,
  OPTION,
  parsePacket,
} from './packet.ts'

type SilentReason =
  | Malformed
  /** Not a BOOTREQUEST, or a type that only servers send. */
  | 'not-a-request'
  /** Plain BOOTP: no message type (RFC 1534 is not served). */
  | 'no-message-type'
  /** An option of the wrong length. */
  | 'bad-option'
  /** Relayed (`giaddr` set): our links are never behind a relay agent. */
  | 'relayed'
  /** `chaddr` is not the NIC's Ethernet address. */
  | 'wrong-hardware-address'
  /** Meant for another server (RFC 2131 section 4.3.2). */
  | 'other-server'
  /** An INFORM from an address that is not the NIC's, or a REQUEST that names no address. */
  | 'wrong-address'

export type Answer =
  | {
      readonly kind: 'reply'
      readonly message: MessageType
      readonly reply: 'offer' | 'ack' | 'nak'
      readonly bytes: Uint8Array
      /** Destination; the port is always 68 (RFC 2131 section 4.1). */
      readonly to: Ipv4
    }
  /** `release`: the client gives its address back. `decline`: it says that someone else uses it. */
  | { readonly kind: 'noted'; readonly message: 'release' | 'decline' }
  | {
      readonly kind: 'silent'
      readonly message: MessageType | 'unknown'
      readonly reason: SilentReason
    }

const UNSPECIFIED = ipv4('0.0.0.0')
const LIMITED_BROADCAST = ipv4('255.255.255.255')
const ETHERNET = 1

/** The answer to the bytes of one datagram that came in through the profile's own link. */
export function answer(bytes: Uint8Array, profile: Profile): Answer {
  const parsed = parsePacket(bytes)
  if (parsed.kind === 'malformed') return silent('unknown', parsed.reason)
  const request = readRequest(parsed.packet)
  if (typeof request === 'string') return silent('unknown', request)
  const { type, packet } = request
  if (packet.op !== 'request') return silent(type, 'not-a-request')
  if (packet.giaddr !== UNSPECIFIED) return silent(type, 'relayed')
  if (!isFrom(packet, profile)) return silent(type, 'wrong-hardware-address')
  switch (type) {
    case 'discover':
      return grant('offer', request, profile)
    case 'request':
      return answerRequest(request, profile)
    case 'inform':
      // Unicast to ciaddr, which is only ours to answer when it is the NIC's (RFC 2131 section
      // 4.3.5).
      return packet.ciaddr === profile.ip
        ? grant('ack', request, profile)
        : silent(type, 'wrong-address')
    case 'release':
    case 'decline':
      return isForUs(request, profile)
        ? { kind: 'noted', message: type }
        : silent(type, 'other-server')
    case 'offer':
    case 'ack':
    case 'nak':
      return silent(type, 'not-a-request')
    default:
      return assertNever(type)
  }
}

/** A message whose options have been looked at. */
interface Request {
  readonly packet: Packet
  readonly type: MessageType
  readonly requestedAddress: Ipv4 | undefined
  readonly serverIdentifier: Ipv4 | undefined
  /** Option codes that the client asked for, or undefined when it named none. */
  readonly parameters: Uint8Array | undefined
  /** Longest UDP payload that the client takes. */
  readonly maxReplyBytes: number
}

const TYPE_OF_NUMBER: ReadonlyMap<number, MessageType> = new Map(
  (Object.keys(MESSAGE_TYPE) as MessageType[]).map((type) => [MESSAGE_TYPE[type], type]),
)

function readRequest(packet: Packet): Request | 'no-message-type' | 'bad-option' {
  const number = packet.options.get(OPTION.messageType)
  if (number === undefined) return 'no-message-type'
  const type = number.length === 1 ? TYPE_OF_NUMBER.get(number[0] ?? 0) : undefined
  const requestedAddress = readAddress(packet, OPTION.requestedAddress)
  const serverIdentifier = readAddress(packet, OPTION.serverIdentifier)
  const maximum = packet.options.get(OPTION.maximumMessageSize)
  if (type === undefined || requestedAddress === 'bad' || serverIdentifier === 'bad')
    return 'bad-option'
  if (maximum !== undefined && maximum.length !== 2) return 'bad-option'
  const [high = 0, low = 0] = maximum ?? []
  return {
    packet,
    type,
    requestedAddress,
    serverIdentifier,
    parameters: packet.options.get(OPTION.parameterRequestList),
    // RFC 2132 section 9.10 does not say whether headers count; taking them off is safe under both
    // readings.
    maxReplyBytes: Math.max(high * 256 + low, MIN_MAX_MESSAGE_BYTES) - IP_UDP_HEADER_BYTES,
  }
}

function readAddress(packet: Packet, code: number): Ipv4 | undefined | 'bad' {
  const value = packet.options.get(code)
  if (value === undefined) return undefined
  return value.length === 4 ? ipv4FromBytes(value) : 'bad'
}

function isFrom(packet: Packet, profile: Profile): boolean {
  const { htype, chaddr } = packet
  return (
    htype === ETHERNET &&
    chaddr.length === profile.chaddr.length &&
    chaddr.every((octet, index) => octet === profile.chaddr[index])
  )
}

/** Whether the message names no server or this one. */
function isForUs(request: Request, profile: Profile): boolean {
  return request.serverIdentifier === undefined || request.serverIdentifier === profile.server
}

/**
 * RFC 2131 section 4.3.2. The client's state shows in which fields it filled (table 4): SELECTING
 * names a server and the offered address, INIT-REBOOT only the address it remembers, RENEWING and
 * REBINDING only `ciaddr`. In every state the address asked for is the NIC's, or the client must
 * start over.
 */
function answerRequest(request: Request, profile: Profile): Answer {
  if (!isForUs(request, profile)) return silent('request', 'other-server')
  const { ciaddr } = request.packet
  const asked = request.requestedAddress ?? (ciaddr === UNSPECIFIED ? undefined : ciaddr)
  if (asked === undefined) return silent('request', 'wrong-address')
  const holdsAnother = ciaddr !== UNSPECIFIED && ciaddr !== profile.ip
  if (asked !== profile.ip || holdsAnother) return refuse(request, profile)
  return grant('ack', request, profile)
}

/** OFFER, or ACK to a REQUEST or an INFORM: RFC 2131 table 3. */
function grant(reply: 'offer' | 'ack', request: Request, profile: Profile): Answer {
  const { packet, type } = request
  const isLease = type !== 'inform'
  const message: Packet = {
    ...replyHeader(packet),
    ciaddr: reply === 'ack' ? packet.ciaddr : UNSPECIFIED,
    yiaddr: isLease ? profile.ip : UNSPECIFIED,
    options: new Map([
      ...mandatoryOptions(reply, request, profile),
      ...(isLease ? profile.times : []),
      ...requested(profile.configuration, request.parameters),
    ]),
  }
  const isConfigured = packet.ciaddr === profile.ip
  return {
    kind: 'reply',
    message: type,
    reply,
    bytes: formatPacket(message, Math.min(request.maxReplyBytes, profile.maxReplyBytes)),
    // RFC 2131 section 4.1: to ciaddr if it is set, else broadcast if asked for, else to yiaddr.
    // The link's permanent neighbour entry stands in for the "hardware unicast" to a client that
    // cannot answer ARP yet. A ciaddr that is not the NIC's (in a DISCOVER, against table 5) is
    // never sent to.
    to: !isConfigured && packet.broadcast ? LIMITED_BROADCAST : profile.ip,
  }
}

/**
 * NAK: broadcast, because the client's idea of its address is wrong (RFC 2131 section 4.1; table
 * 3).
 */
function refuse(request: Request, profile: Profile): Answer {
  const message: Packet = {
    ...replyHeader(request.packet),
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    options: new Map([
      ...mandatoryOptions('nak', request, profile),
      [OPTION.message, new TextEncoder().encode('this interface has another address')],
    ]),
  }
  return {
    kind: 'reply',
    message: request.type,
    reply: 'nak',
    bytes: formatPacket(message, Math.min(request.maxReplyBytes, profile.maxReplyBytes)),
    to: LIMITED_BROADCAST,
  }
}

/** What every reply repeats from its request (RFC 2131 table 3). */
function replyHeader(packet: Packet) {
  return {
    op: 'reply',
    htype: packet.htype,
    hops: 0,
    xid: packet.xid,
    secs: 0,
    broadcast: packet.broadcast,
    siaddr: UNSPECIFIED,
    giaddr: UNSPECIFIED,
    chaddr: packet.chaddr,
  } as const
}

/** Type, server, and the client's own identifier as it came (RFC 6842 section 3). */
function mandatoryOptions(
  reply: 'offer' | 'ack' | 'nak',
  request: Request,
  profile: Profile,
): readonly Option[] {
  const always: readonly Option[] = [
    [OPTION.messageType, Uint8Array.of(MESSAGE_TYPE[reply])],
    profile.serverOption,
  ]
  const identifier = request.packet.options.get(OPTION.clientIdentifier)
  return identifier === undefined ? always : [...always, [OPTION.clientIdentifier, identifier]]
}

function silent(message: MessageType | 'unknown', reason: SilentReason): Answer {
  return { kind: 'silent', message, reason }
}
