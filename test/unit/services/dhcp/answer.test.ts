import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Ipv4 } from '../../../../src/model/addr.ts'
import { ipv4FromBytes, ipv4ToBytes } from '../../../../src/model/addr.ts'
import type { DhcpConfiguration } from '../../../../src/model/dhcp-options.ts'
import type { Answer } from '../../../../src/services/dhcp/answer.ts'
import { answer } from '../../../../src/services/dhcp/answer.ts'
import type { Profile } from '../../../../src/services/dhcp/options.ts'
import { profileOf } from '../../../../src/services/dhcp/options.ts'
import type { MessageType, Packet } from '../../../../src/services/dhcp/packet.ts'
import { MESSAGE_TYPE, OPTION, parsePacket } from '../../../../src/services/dhcp/packet.ts'
import {
  ADDRESS,
  ANOTHER,
  anyRequest,
  BROADCAST,
  bytesOf,
  CHADDR,
  GATEWAY,
  NIC,
  PROFILE,
  request,
  SETTINGS,
  UNSPECIFIED,
} from './arbitrary.ts'

function answerTo(packet: Packet): Answer {
  return answer(bytesOf(packet), PROFILE)
}

function replyTo(packet: Packet): { to: Ipv4; bytes: Uint8Array; packet: Packet; reply: string } {
  const result = answerTo(packet)
  if (result.kind !== 'reply') throw new Error(JSON.stringify(result))
  const parsed = parsePacket(result.bytes)
  if (parsed.kind !== 'packet') throw new Error(parsed.reason)
  return { to: result.to, bytes: result.bytes, packet: parsed.packet, reply: result.reply }
}

/**
 * One word for the answer: `offer`, `ack`, `nak`, `noted` or the reason of silence; for replies
 * also whereto.
 */
function verdict(packet: Packet): string {
  const result = answerTo(packet)
  switch (result.kind) {
    case 'reply':
      return `${result.reply} ${result.to}`
    case 'noted':
      return 'noted'
    default:
      return result.reason
  }
}

const REQUESTED = OPTION.requestedAddress
const SERVER = OPTION.serverIdentifier
type Given = Partial<Record<'ciaddr' | 'requested' | 'server', Ipv4>>

function message(type: MessageType, given: Given, broadcast = false): Packet {
  const options: [number, Uint8Array][] = []
  if (given.requested) options.push([REQUESTED, ipv4ToBytes(given.requested)])
  if (given.server) options.push([SERVER, ipv4ToBytes(given.server)])
  return request(type, { broadcast, ...(given.ciaddr ? { ciaddr: given.ciaddr } : {}) }, options)
}

describe('what each message in each client state gets (RFC 2131 table 4)', () => {
  const TO_CLIENT = `ack ${ADDRESS}`
  const NAK = `nak ${BROADCAST}`
  test.each<[string, MessageType, Given, string]>([
    ['init', 'discover', {}, `offer ${ADDRESS}`],
    ['init, wishes another address', 'discover', { requested: ANOTHER }, `offer ${ADDRESS}`],
    ['init, ciaddr against table 5', 'discover', { ciaddr: ANOTHER }, `offer ${ADDRESS}`],
    ['selecting', 'request', { server: GATEWAY, requested: ADDRESS }, TO_CLIENT],
    [
      'selecting another server',
      'request',
      { server: ANOTHER, requested: ADDRESS },
      'other-server',
    ],
    ['selecting what was not offered', 'request', { server: GATEWAY, requested: ANOTHER }, NAK],
    ['selecting nothing', 'request', { server: GATEWAY }, 'wrong-address'],
    ['init-reboot', 'request', { requested: ADDRESS }, TO_CLIENT],
    ['init-reboot, wrong address', 'request', { requested: ANOTHER }, NAK],
    ['renewing or rebinding', 'request', { ciaddr: ADDRESS }, TO_CLIENT],
    ['renewing or rebinding, wrong address', 'request', { ciaddr: ANOTHER }, NAK],
    [
      'renewing, server named against table 4',
      'request',
      { ciaddr: ADDRESS, server: GATEWAY },
      TO_CLIENT,
    ],
    ['two minds', 'request', { ciaddr: ANOTHER, requested: ADDRESS }, NAK],
    ['request for nothing', 'request', {}, 'wrong-address'],
    ['inform', 'inform', { ciaddr: ADDRESS }, TO_CLIENT],
    ['inform from elsewhere', 'inform', { ciaddr: ANOTHER }, 'wrong-address'],
    ['inform from nowhere', 'inform', {}, 'wrong-address'],
    ['release', 'release', { ciaddr: ADDRESS, server: GATEWAY }, 'noted'],
    ['release to another server', 'release', { ciaddr: ADDRESS, server: ANOTHER }, 'other-server'],
    ['decline', 'decline', { requested: ADDRESS, server: GATEWAY }, 'noted'],
    [
      'decline to another server',
      'decline',
      { requested: ADDRESS, server: ANOTHER },
      'other-server',
    ],
    ['offer from a guest', 'offer', {}, 'not-a-request'],
    ['ack from a guest', 'ack', {}, 'not-a-request'],
    ['nak from a guest', 'nak', {}, 'not-a-request'],
  ])('%s', (_state, type, given, expected) => {
    expect(verdict(message(type, given))).toBe(expected)
  })

  test.each<[string, MessageType, Given, string]>([
    ['init', 'discover', {}, `offer ${BROADCAST}`],
    ['selecting', 'request', { server: GATEWAY, requested: ADDRESS }, `ack ${BROADCAST}`],
    ['init-reboot', 'request', { requested: ADDRESS }, `ack ${BROADCAST}`],
    ['renewing: ciaddr goes before the flag', 'request', { ciaddr: ADDRESS }, TO_CLIENT],
    ['inform: ciaddr goes before the flag', 'inform', { ciaddr: ADDRESS }, TO_CLIENT],
  ])('%s, with the broadcast flag', (_state, type, given, expected) => {
    expect(verdict(message(type, given, true))).toBe(expected)
  })
})

describe('silence', () => {
  test.each<[string, Packet]>([
    ['relayed', request('discover', { giaddr: ANOTHER })],
    ['wrong-hardware-address', request('discover', { chaddr: CHADDR.with(5, 2) })],
    ['wrong-hardware-address', request('discover', { htype: 6 })],
    ['wrong-hardware-address', request('discover', { chaddr: CHADDR.subarray(0, 5) })],
    ['not-a-request', request('discover', { op: 'reply' })],
    ['no-message-type', { ...request('discover'), options: new Map() }],
    ['bad-option', request('discover', {}, [[OPTION.messageType, Uint8Array.of(1, 1)]])],
    ['bad-option', request('discover', {}, [[OPTION.messageType, Uint8Array.of(9)]])],
    ['bad-option', request('request', {}, [[REQUESTED, Uint8Array.of(10, 0, 1)]])],
    ['bad-option', request('request', {}, [[SERVER, Uint8Array.of(10, 0, 1, 1, 1)]])],
    ['bad-option', request('discover', {}, [[OPTION.maximumMessageSize, Uint8Array.of(5)]])],
  ])('%s', (expected, packet) => {
    expect(verdict(packet)).toBe(expected)
  })

  test('nothing that a guest sends makes it throw', () => {
    fc.assert(
      fc.property(
        anyRequest,
        fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 6 }),
        (packet, changes) => {
          const bytes = bytesOf(packet).slice()
          for (const [at, value] of changes) bytes[at % bytes.length] = value
          answer(bytes, PROFILE)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('every reply is legal (RFC 2131 table 3, RFC 6842)', () => {
  test('header, mandatory and forbidden options, destination, size', () => {
    let replies = 0
    fc.assert(
      fc.property(anyRequest, (asked) => {
        const result = answerTo(asked)
        if (result.kind !== 'reply') return
        replies += 1
        checkReply(asked, result)
      }),
      { numRuns: 2000 },
    )
    expect(replies).toBeGreaterThan(100)
  })
})

function checkReply(asked: Packet, result: Extract<Answer, { kind: 'reply' }>): void {
  const parsed = parsePacket(result.bytes)
  if (parsed.kind !== 'packet') throw new Error(parsed.reason)
  const reply = parsed.packet
  const isInform = result.message === 'inform'
  const isNak = result.reply === 'nak'
  expect(reply).toMatchObject({
    op: 'reply',
    htype: 1,
    hops: 0,
    xid: asked.xid,
    secs: 0,
    broadcast: asked.broadcast,
    ciaddr: result.reply === 'ack' ? asked.ciaddr : UNSPECIFIED,
    yiaddr: isNak || isInform ? UNSPECIFIED : ADDRESS,
    siaddr: UNSPECIFIED,
    giaddr: UNSPECIFIED,
    chaddr: CHADDR,
  })
  const { options } = reply
  expect(options.get(OPTION.messageType)).toEqual(Uint8Array.of(MESSAGE_TYPE[result.reply]))
  expect(options.get(OPTION.serverIdentifier)).toEqual(ipv4ToBytes(GATEWAY))
  for (const time of [OPTION.leaseTime, OPTION.renewalTime, OPTION.rebindingTime])
    expect(options.has(time)).toBe(!isNak && !isInform)
  for (const code of [REQUESTED, OPTION.parameterRequestList, OPTION.maximumMessageSize])
    expect(options.has(code)).toBe(false)
  const identifier = options.get(OPTION.clientIdentifier)
  // Only an identifier too long for the reply is left out.
  if (identifier !== undefined || (asked.options.get(OPTION.clientIdentifier)?.length ?? 0) < 200)
    expect(identifier).toEqual(asked.options.get(OPTION.clientIdentifier))
  const list = asked.options.get(OPTION.parameterRequestList)
  const always: number[] = [51, 53, 54, 56, 58, 59, 61]
  if (list !== undefined)
    for (const code of options.keys())
      expect(always.includes(code) || list.includes(code)).toBe(true)
  if (isNak) for (const code of options.keys()) expect([53, 54, 56, 61]).toContain(code)
  expect(isNak ? [BROADCAST] : [BROADCAST, ADDRESS]).toContain(result.to)
  const [high = 0, low = 0] = asked.options.get(OPTION.maximumMessageSize) ?? []
  const limit = Math.min(Math.max(576, high * 256 + low), SETTINGS.mtu) - 28
  expect(result.bytes.length).toBeLessThanOrEqual(limit)
  expect(result.bytes.length).toBeGreaterThanOrEqual(300)
}

describe('configuration', () => {
  const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
  const discover = (list?: readonly number[]) =>
    replyTo(
      request('discover', {}, list ? [[OPTION.parameterRequestList, Uint8Array.from(list)]] : []),
    ).packet.options

  test('all of it without a parameter request list, but no classless routes', () => {
    const options = discover()
    expect(ipv4FromBytes(options.get(OPTION.subnetMask) ?? new Uint8Array(4))).toBe('255.255.255.0')
    expect(options.get(OPTION.router)).toEqual(ipv4ToBytes(GATEWAY))
    expect(options.get(OPTION.domainNameServer)).toEqual(
      Uint8Array.of(10, 0, 1, 1, 169, 254, 169, 253),
    )
    expect(text(options.get(OPTION.hostName))).toBe('ip-10-0-1-7')
    expect(text(options.get(OPTION.domainName))).toBe('atoll.internal')
    expect(options.get(OPTION.interfaceMtu)).toEqual(Uint8Array.of(0x05, 0xdc))
    expect(options.get(OPTION.broadcastAddress)).toEqual(Uint8Array.of(10, 0, 1, 255))
    expect(options.has(OPTION.classlessRoutes)).toBe(false)
    expect(options.has(OPTION.domainSearch)).toBe(false)
  })

  test('the search list is the domain, in the form of DNS (RFC 3397)', () => {
    expect(text(discover([OPTION.domainSearch]).get(OPTION.domainSearch))).toBe(
      '\x05atoll\x08internal\0',
    )
  })

  test('only what is asked for with one', () => {
    expect([...discover([OPTION.router]).keys()].sort((a, b) => a - b)).toEqual([
      3, 51, 53, 54, 58, 59,
    ])
  })

  test('classless routes hold the default route, since they replace the router (RFC 3442)', () => {
    expect(discover([OPTION.classlessRoutes]).get(OPTION.classlessRoutes)).toEqual(
      Uint8Array.of(0, 10, 0, 1, 1),
    )
  })

  test('the way out leads through the first NIC only', () => {
    const second = profileOf({ ...NIC, deviceIndex: 1 }, 'ip-10-0-1-7', SETTINGS)
    const codes = (profile: Profile) => new Set(profile.configuration.map(([code]) => code))
    const router = new Set<number>([OPTION.router, OPTION.classlessRoutes])
    expect(codes(PROFILE).isSupersetOf(router)).toBe(true)
    expect(codes(second)).toEqual(codes(PROFILE).difference(router))
  })

  test('a set of DHCP options replaces names, resolvers and time servers', () => {
    const said = { domainNames: ['corp.example', 'b'], nameServers: [ADDRESS, GATEWAY] }
    const values = (dhcp: DhcpConfiguration) =>
      new Map(profileOf({ ...NIC, dhcp }, 'ip-10-0-1-7', SETTINGS).configuration)
    const options = values({
      ...{ ...said, timeServers: [GATEWAY] },
      ...{ netbiosServers: [ADDRESS], netbiosNodeType: 8 },
    })
    expect(text(options.get(OPTION.domainName))).toBe('corp.example')
    expect(text(options.get(OPTION.domainSearch))).toBe('\x04corp\x07example\0\x01b\0')
    expect(options.get(OPTION.domainNameServer)).toEqual(Uint8Array.of(10, 0, 1, 7, 10, 0, 1, 1))
    expect(options.get(OPTION.timeServers)).toEqual(Uint8Array.of(10, 0, 1, 1))
    expect(options.get(OPTION.netbiosNameServers)).toEqual(Uint8Array.of(10, 0, 1, 7))
    expect(options.get(OPTION.netbiosNodeType)).toEqual(Uint8Array.of(8))
    const none = values({ domainNames: [], nameServers: [], timeServers: [] })
    const lists = ['domainName', 'domainSearch', 'domainNameServer', 'timeServers'] as const
    for (const code of [...lists, 'netbiosNameServers', 'netbiosNodeType'] as const)
      expect(none.has(OPTION[code])).toBe(false)
    const long = Array.from({ length: 6 }, () => 'a'.repeat(60))
    const list = values({ ...said, domainNames: long, timeServers: [] }).get(OPTION.domainSearch)
    expect(list).toHaveLength(4 * 62)
  })

  test('the mask stands before the router (RFC 2132 section 3.3)', () => {
    const codes = [...discover([OPTION.router, OPTION.subnetMask]).keys()]
    expect(codes.indexOf(OPTION.subnetMask)).toBeLessThan(codes.indexOf(OPTION.router))
  })

  test('lease, renewal at 1/2, rebinding at 7/8', () => {
    const options = discover()
    const seconds = (code: number) => Buffer.from(options.get(code) ?? []).readUInt32BE()
    expect([OPTION.leaseTime, OPTION.renewalTime, OPTION.rebindingTime].map(seconds)).toEqual([
      3600, 1800, 3150,
    ])
  })

  test.each([
    [undefined, 548],
    [[0x01, 0x00], 548],
    [[0x02, 0x58], 572],
    [[0xff, 0xff], 1472],
  ])('a reply is no longer than the client takes: maximum %j', (maximum, limit) => {
    const long: [number, Uint8Array][] = [[OPTION.clientIdentifier, new Uint8Array(250)]]
    if (maximum !== undefined) long.push([OPTION.maximumMessageSize, Uint8Array.from(maximum)])
    const { bytes, packet } = replyTo(request('discover', {}, long))
    expect(bytes.length).toBeLessThanOrEqual(limit)
    // Room that is there is used before file and sname are.
    if (limit > 700) expect(bytes.length).toBeGreaterThan(572)
    expect(packet.options.get(OPTION.clientIdentifier)?.length).toBe(250)
  })

  test('a longest zone and name still fit the smallest reply', () => {
    const zone = `${'a'.repeat(63)}.`.repeat(3) + 'a'.repeat(61)
    const hostname = 'h'.repeat(63)
    const result = answer(
      bytesOf(request('discover')),
      profileOf(NIC, hostname, { ...SETTINGS, zone }),
    )
    if (result.kind !== 'reply') throw new Error('no reply')
    const parsed = parsePacket(result.bytes)
    if (parsed.kind !== 'packet') throw new Error(parsed.reason)
    expect(text(parsed.packet.options.get(OPTION.domainName))).toBe(zone)
    expect(text(parsed.packet.options.get(OPTION.hostName))).toBe(hostname)
    expect(parsed.packet.options.has(OPTION.broadcastAddress)).toBe(true)
  })
})
