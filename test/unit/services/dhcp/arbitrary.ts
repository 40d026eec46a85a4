/** Clients, packets and requests for the DHCP tests. */
import fc from 'fast-check'
import {
  cidr,
  gatewayOf,
  ipv4,
  ipv4FromNumber,
  macToBytes,
  parseMac,
} from '../../../../src/model/addr.ts'
import { formatId } from '../../../../src/model/ids.ts'
import type { NicWant } from '../../../../src/model/want.ts'
import type { DhcpSettings } from '../../../../src/services/dhcp/options.ts'
import { profileOf } from '../../../../src/services/dhcp/options.ts'
import type { MessageType, Packet } from '../../../../src/services/dhcp/packet.ts'
import { formatPacket, MESSAGE_TYPE, OPTION } from '../../../../src/services/dhcp/packet.ts'

export const SETTINGS: DhcpSettings = { leaseSeconds: 3600, mtu: 1500, zone: 'atoll.internal' }
export const ADDRESS = ipv4('10.0.1.7')
export const GATEWAY = ipv4('10.0.1.1')
export const ANOTHER = ipv4('10.0.1.8')
export const UNSPECIFIED = ipv4('0.0.0.0')
export const BROADCAST = ipv4('255.255.255.255')

const mac = parseMac('02:00:5e:10:00:01')
if (mac === undefined) throw new Error('not a MAC')
export const CHADDR = macToBytes(mac)

const subnet = cidr('10.0.1.0/24')
/** The NIC that all tests speak for: 10.0.1.7/24. */
export const NIC: NicWant = {
  id: formatId('eni', new Uint8Array(9)),
  deviceIndex: 0,
  ip: ADDRESS,
  mac,
  vpc: formatId('vpc', new Uint8Array(9)),
  vpcCidr: cidr('10.0.0.0/16'),
  subnet: formatId('subnet', new Uint8Array(9)),
  subnetCidr: subnet,
  gateway: gatewayOf(subnet),
  groups: [],
}

export const PROFILE = profileOf(NIC, 'ip-10-0-1-7', SETTINGS)

/** A client's message of the given type, with some fields and options set. */
export function request(
  type: MessageType,
  fields: Partial<Packet> = {},
  options: Iterable<readonly [number, Uint8Array]> = [],
): Packet {
  return {
    op: 'request',
    htype: 1,
    hops: 0,
    xid: 0x1234abcd,
    secs: 0,
    broadcast: false,
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    siaddr: UNSPECIFIED,
    giaddr: UNSPECIFIED,
    chaddr: CHADDR,
    options: new Map([[OPTION.messageType, Uint8Array.of(MESSAGE_TYPE[type])], ...options]),
    ...fields,
  }
}

/** The bytes of a message, with all the room there is. */
export function bytesOf(packet: Packet): Uint8Array {
  return formatPacket(packet, 1500)
}

const anyIpv4 = fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4FromNumber)
/** Often one of the addresses that matter. */
const someIpv4 = fc.oneof(fc.constantFrom(ADDRESS, GATEWAY, ANOTHER, UNSPECIFIED), anyIpv4)

/** Option codes that are values and not part of the format. */
const anyCode = fc.integer({ min: 1, max: 254 }).filter((code) => code !== OPTION.overload)

/** Options of up to `maxBytes` a value. */
export const anyOptions = (maxBytes: number) =>
  fc.uniqueArray(fc.tuple(anyCode, fc.uint8Array({ maxLength: maxBytes })), {
    selector: ([code]) => code,
    maxLength: 30,
  })

/** Any packet that the format can say; options as given. */
export const anyPacket = (options: ReturnType<typeof anyOptions>): fc.Arbitrary<Packet> =>
  fc.record({
    op: fc.constantFrom('request', 'reply'),
    htype: fc.nat(255),
    hops: fc.nat(255),
    xid: fc.nat(0xffff_ffff),
    secs: fc.nat(0xffff),
    broadcast: fc.boolean(),
    ciaddr: anyIpv4,
    yiaddr: anyIpv4,
    siaddr: anyIpv4,
    giaddr: anyIpv4,
    chaddr: fc.uint8Array({ maxLength: 16 }),
    options: options.map((list) => new Map(list)),
  })

const address = someIpv4.map((ip) => Uint8Array.from(ip.split('.'), Number))

/**
 * Messages as clients, good and bad, send them: mostly well-formed, of every type, from this NIC.
 */
export const anyRequest: fc.Arbitrary<Packet> = fc
  .record({
    type: fc.constantFrom(...(Object.keys(MESSAGE_TYPE) as MessageType[])),
    broadcast: fc.boolean(),
    ciaddr: someIpv4,
    xid: fc.nat(0xffff_ffff),
    secs: fc.nat(0xffff),
    requested: fc.option(address),
    server: fc.option(address),
    identifier: fc.option(fc.uint8Array({ minLength: 2, maxLength: 300 })),
    parameters: fc.option(fc.uint8Array({ maxLength: 60 })),
    maximum: fc.option(fc.uint8Array({ minLength: 2, maxLength: 2 })),
  })
  .map(({ type, requested, server, identifier, parameters, maximum, ...fields }) => {
    const options: [number, Uint8Array | null][] = [
      [OPTION.requestedAddress, requested],
      [OPTION.serverIdentifier, server],
      [OPTION.clientIdentifier, identifier],
      [OPTION.parameterRequestList, parameters],
      [OPTION.maximumMessageSize, maximum],
    ]
    const present = options.flatMap(([code, value]): [number, Uint8Array][] =>
      value === null ? [] : [[code, value]],
    )
    return request(type, fields, present)
  })
