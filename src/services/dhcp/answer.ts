/**
 * Decides how the DHCP server answers a message: with a reply, with a note of it, or not at all,
 * and why. Pure.
 *
 * The server allocates nothing. Each NIC has the one address in its record, so a message has at
 * most one right answer, and leases need not be stored (manual allocation, RFC 2131 section 1 and
 * section 4.3). The caller knows from its socket which NIC sent the message. Nothing in the message
 * is trusted for that.
 */
import type { Ipv4 } from '../../model/addr.ts'
import { ipv4, ipv4FromBytes } from '../../model/addr.ts'
import { assertNever } from '../../model/errors.ts'
import type { Profile } from './options.ts'
import { requested } from './options.ts'
import type { Malformed, MessageType, Option, Outgoing, Packet } from './packet.ts'
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
  /** Not a BOOTREQUEST, or a message type that only servers send. */
  | 'not-a-request'
  /** Plain BOOTP without a message type. RFC 1534 is not supported. */
  | 'no-message-type'
  /** An option has the wrong length. */
  | 'bad-option'
  /** Relayed (`giaddr` is set). There are no relay agents on our links. */
  | 'relayed'
  /** `chaddr` is not the NIC's Ethernet address. */
  | 'wrong-hardware-address'
  /** For another server (RFC 2131 section 4.3.2). */
  | 'other-server'
  /** An INFORM from an address that is not the NIC's, or a REQUEST without an address. */
  | 'wrong-address'

export type Answer =
  | {
      readonly kind: 'reply'
      readonly message: MessageType
      readonly reply: 'offer' | 'ack' | 'nak'
      readonly bytes: Uint8Array
      /** Destination address. The port is always 68 (RFC 2131 section 4.1). */
      readonly to: Ipv4
    }
  /**
   * `release`: the client returns its address. `decline`: the client says that another machine uses
   * it.
   */
  | { readonly kind: 'noted'; readonly message: 'release' | 'decline' }
  | {
      readonly kind: 'silent'
      readonly message: MessageType | 'unknown'
      readonly reason: SilentReason
    }

const UNSPECIFIED = ipv4('0.0.0.0')
const LIMITED_BROADCAST = ipv4('255.255.255.255')
const ETHERNET = 1

/** The answer to one datagram that arrived on the link of the profile's NIC. */
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
      // A reply to an INFORM goes to ciaddr, so it must be the NIC's address (RFC 2131 section
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

/** A message with its options read. */
interface Request {
  readonly packet: Packet
  readonly type: MessageType
  readonly requestedAddress: Ipv4 | undefined
  readonly serverIdentifier: Ipv4 | undefined
  /** The option codes that the client asked for. Undefined when it sent no list. */
  readonly parameters: Uint8Array | undefined
  /** The longest UDP payload that the client accepts. */
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
    // RFC 2132 section 9.10 does not say whether headers are included. Subtracting them is safe
    // either way.
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

/** Whether the message names this server, or none. */
function isForUs(request: Request, profile: Profile): boolean {
  return request.serverIdentifier === undefined || request.serverIdentifier === profile.server
}

/**
 * RFC 2131 section 4.3.2. The fields that are set show the client's state (table 4): SELECTING
 * names a server and the offered address, INIT-REBOOT only an address, RENEWING and REBINDING only
 * `ciaddr`. In every state the address must be the NIC's. Otherwise the client has to start again.
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

/** OFFER, or ACK to a REQUEST or an INFORM (RFC 2131 table 3). */
function grant(reply: 'offer' | 'ack', request: Request, profile: Profile): Answer {
  const { packet, type } = request
  const isLease = type !== 'inform'
  const message: Outgoing = {
    ...replyHeader(packet),
    ciaddr: reply === 'ack' ? packet.ciaddr : UNSPECIFIED,
    yiaddr: isLease ? profile.ip : UNSPECIFIED,
    options: [
      ...mandatoryOptions(reply, request, profile),
      ...(isLease ? profile.times : []),
      ...requested(profile.configuration, request.parameters),
    ],
  }
  const isConfigured = packet.ciaddr === profile.ip
  return {
    kind: 'reply',
    message: type,
    reply,
    bytes: formatPacket(message, Math.min(request.maxReplyBytes, profile.maxReplyBytes)),
    // RFC 2131 section 4.1: to ciaddr if it is set, else broadcast if the client asks for it, else
    // to yiaddr. A client without an address cannot answer ARP yet, but the link has a permanent
    // neighbour entry for it. A ciaddr that is not the NIC's (in a DISCOVER, against table 5) is
    // never used.
    to: !isConfigured && packet.broadcast ? LIMITED_BROADCAST : profile.ip,
  }
}

/**
 * NAK. It is broadcast, because the client has a wrong address (RFC 2131 section 4.1 and table 3).
 */
function refuse(request: Request, profile: Profile): Answer {
  const message: Outgoing = {
    ...replyHeader(request.packet),
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    options: [
      ...mandatoryOptions('nak', request, profile),
      [OPTION.message, new TextEncoder().encode('this interface has another address')],
    ],
  }
  return {
    kind: 'reply',
    message: request.type,
    reply: 'nak',
    bytes: formatPacket(message, Math.min(request.maxReplyBytes, profile.maxReplyBytes)),
    to: LIMITED_BROADCAST,
  }
}

/** The fields that every reply copies from its request (RFC 2131 table 3). */
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

/** Message type, server, and the client identifier as the client sent it (RFC 6842 section 3). */
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
