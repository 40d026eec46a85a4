/**
 * Our DHCP and DNS packets beside those of two independent libraries, `dhcp` and `dns2`: each side
 * reads what the other wrote, over random messages. Neither library is in the product
 * (docs/dependencies.md).
 */
import dhcp from 'dhcp/lib/protocol.js'
import Dns2 from 'dns2'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4FromNumber, ipv4ToBytes, macToBytes, parseMac } from '../../src/model/addr.ts'
import { answer } from '../../src/services/dhcp/answer.ts'
import { MESSAGE_TYPE, OPTION, parsePacket } from '../../src/services/dhcp/packet.ts'
import { answerQuery, type Transport } from '../../src/services/dns/answer.ts'
import { keyOf, readQuery } from '../../src/services/dns/packet.ts'
import { recordsOf } from '../../src/services/dns/zone.ts'
import { ADDRESS, GATEWAY, NIC, PROFILE, SETTINGS } from '../unit/services/dhcp/arbitrary.ts'
import { names, sampleZone, ZONE } from '../unit/services/dns/arbitraries.ts'

const BROADCAST_FLAG = 0x8000
const anyAddress = fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4FromNumber)
const asText = (mac: string) => mac.toUpperCase().replaceAll(':', '-')

describe('DHCP beside the package dhcp', () => {
  const anyMessage = fc.record({
    type: fc.constantFrom('discover' as const, 'request' as const),
    xid: fc.nat(0xffff_ffff),
    secs: fc.nat(0xffff),
    broadcast: fc.boolean(),
    requested: fc.option(fc.oneof(fc.constant(ADDRESS), anyAddress)),
    // Not 121, the classless routes: the package reads them as a list of addresses and loses its
    // place.
    features: fc.subarray([1, 3, 6, 12, 15, 26, 28, 51, 54, 58, 59], { minLength: 1 }),
  })
  type Message = typeof anyMessage extends fc.Arbitrary<infer T> ? T : never

  function written({ type, xid, secs, broadcast, requested, features }: Message): Buffer {
    const { _data, _w } = dhcp.format({
      op: 1,
      htype: 1,
      hlen: 6,
      hops: 0,
      xid,
      secs,
      flags: broadcast ? BROADCAST_FLAG : 0,
      ciaddr: '0.0.0.0',
      yiaddr: '0.0.0.0',
      siaddr: '0.0.0.0',
      giaddr: '0.0.0.0',
      chaddr: asText(NIC.mac),
      sname: '',
      file: '',
      options: {
        53: MESSAGE_TYPE[type],
        55: features,
        57: 1500,
        ...(requested === null ? {} : { 50: requested }),
      },
    })
    return _data.subarray(0, _w)
  }

  it('what it writes is read as it was meant', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const read = parsePacket(written(message))
        if (read.kind !== 'packet') throw new Error(read.reason)
        const { packet } = read
        expect(packet).toMatchObject({
          op: 'request',
          xid: message.xid,
          secs: message.secs,
          broadcast: message.broadcast,
        })
        expect([...packet.chaddr]).toEqual([...macToBytes(NIC.mac)])
        const requested = packet.options.get(OPTION.requestedAddress)
        const wanted = message.requested === null ? [] : [...ipv4ToBytes(message.requested)]
        expect([...(requested ?? [])]).toEqual(wanted)
        expect([...(packet.options.get(OPTION.parameterRequestList) ?? [])]).toEqual(
          message.features,
        )
      }),
    )
  })

  it('what we answer is read as it was meant', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const said = answer(written(message), PROFILE)
        if (said.kind !== 'reply') return
        const theirs = dhcp.parse(Buffer.from(said.bytes))
        const { options } = theirs
        expect(theirs).toMatchObject({ op: 2, xid: message.xid, chaddr: asText(NIC.mac) })
        expect(parseMac(theirs.chaddr.toLowerCase().replaceAll('-', ':'))).toBe(NIC.mac)
        expect(options[53]).toBe(MESSAGE_TYPE[said.reply])
        expect(options[54]).toBe(GATEWAY)
        expect(theirs.yiaddr).toBe(said.reply === 'nak' ? '0.0.0.0' : ADDRESS)
        if (said.reply === 'nak') return
        const told: Readonly<Record<number, unknown>> = {
          1: '255.255.255.0',
          3: [GATEWAY],
          6: [GATEWAY, '169.254.169.253'],
          12: 'ip-10-0-1-7',
          15: SETTINGS.zone,
          26: SETTINGS.mtu,
          28: '10.0.1.255',
          51: SETTINGS.leaseSeconds,
        }
        for (const [code, value] of Object.entries(told)) {
          if (message.features.includes(Number(code))) expect(options[Number(code)]).toEqual(value)
        }
      }),
    )
  })
})

describe('DNS beside the package dns2', () => {
  const { Packet } = Dns2
  const zone = sampleZone()
  const ours = fc.constantFrom(
    `web.${ZONE}`,
    `many.${ZONE}`,
    `i-00000000000000001.${ZONE}`,
    `nobody.${ZONE}`,
    'localhost',
  )
  const anyQuestion = fc.record({
    name: fc.oneof(ours, names),
    type: fc.constantFrom('A' as const, 'AAAA' as const, 'PTR' as const, 'TXT' as const),
    id: fc.nat(0xffff),
    transport: fc.constantFrom<Transport>('udp', 'tcp'),
  })
  type Question = typeof anyQuestion extends fc.Arbitrary<infer T> ? T : never

  function written({ name, type, id }: Question): Buffer {
    const packet = new Packet()
    packet.header.id = id
    packet.header.rd = 1
    packet.questions.push(new Packet.Question(name, Packet.TYPE[type], Packet.CLASS.IN))
    return packet.toBuffer()
  }

  it('what it asks is read as it was meant', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        const read = readQuery(written(question))
        if (read.kind !== 'query') throw new Error(read.kind)
        expect(read.query).toMatchObject({
          id: question.id,
          key: keyOf(question.name.toLowerCase()),
          type: Packet.TYPE[question.type],
          class: 1,
          edns: null,
        })
      }),
    )
  })

  it('what we answer is read as it was meant, whole or cut', () => {
    fc.assert(
      fc.property(anyQuestion, fc.nat(1000), (question, rotation) => {
        const said = answerQuery(written(question), zone, question.transport, rotation)
        if (said.kind !== 'reply') return
        const theirs = Packet.parse(said.bytes)
        expect(theirs.header).toMatchObject({ id: question.id, qr: 1, rcode: said.rcode })
        expect(theirs.questions[0]?.name).toBe(question.name)
        const key = keyOf(question.name.toLowerCase())
        const addresses = recordsOf(zone, key, Packet.TYPE[question.type] ?? 0)
        if (theirs.header.tc === 0) expect(theirs.answers).toHaveLength(addresses?.count ?? 0)
        else expect(theirs.answers.length).toBeGreaterThan(20)
        for (const one of theirs.answers)
          expect(one).toMatchObject({ name: question.name, type: Packet.TYPE[question.type] })
      }),
    )
  })
})
