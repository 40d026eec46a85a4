/** The packet of a trace: what other programs make of it, and that its rule matches it alone. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipv4FromNumber } from '../../../src/model/addr.ts'
import type { TracedPacket, TraceSending } from '../../../src/model/trace.ts'
import { removeTraceScript, traceFrame, traceScript } from '../../../src/plan/trace-packet.ts'

const anyPacket: fc.Arbitrary<TracedPacket> = fc.record({
  protocol: fc.constantFrom('tcp', 'udp', 'icmp'),
  identification: fc.integer({ min: 1, max: 0xffff }),
  token: fc.integer({ min: 1, max: 0xffff_ffff }),
})
const anyAddress = fc.nat(0xffff_ffff).map(ipv4FromNumber)
const anySending: fc.Arbitrary<TraceSending> = fc.record({
  link: fc.constant(null),
  from: fc.constant('02:00:00:00:00:01'),
  network: fc.constant(null),
  source: anyAddress,
  destination: anyAddress,
  port: fc.nat(0xffff),
  code: fc.nat(0xff),
})

/** The sum of RFC 1071 over bytes with a right checksum in them. */
function sumOf(bytes: readonly number[]): number {
  const even = bytes.length % 2 === 0 ? bytes : [...bytes, 0]
  let sum = 0
  for (let at = 0; at < even.length; at += 2) sum += ((even[at] ?? 0) << 8) | (even[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

const addressIn = (bytes: Uint8Array, at: number) => [...bytes.subarray(at, at + 4)].join('.')

test('it is an IPv4 packet as asked, with right checksums', () => {
  fc.assert(
    fc.property(anyPacket, anySending, (packet, asked) => {
      const icmp = packet.protocol === 'icmp'
      const sending = icmp ? { ...asked, port: asked.port & 0xff } : asked
      const frame = traceFrame(packet, sending)
      const view = new DataView(frame.buffer)
      expect(view.getUint16(12)).toBe(0x0800)
      const ip = frame.subarray(14)
      const head = new DataView(ip.buffer, ip.byteOffset)
      expect(head.getUint8(0)).toBe(0x45)
      expect(head.getUint16(2)).toBe(ip.length)
      expect(head.getUint16(4)).toBe(packet.identification)
      expect(addressIn(ip, 12)).toBe(sending.source)
      expect(addressIn(ip, 16)).toBe(sending.destination)
      expect(sumOf([...ip.subarray(0, 20)])).toBe(0xffff)
      const body = ip.subarray(20)
      const pseudo = [...ip.subarray(12, 20), 0, ip[9] ?? 0, body.length >> 8, body.length & 0xff]
      expect(sumOf([...(icmp ? [] : pseudo), ...body])).toBe(0xffff)
      const inner = new DataView(body.buffer, body.byteOffset)
      if (icmp) {
        expect([inner.getUint8(0), inner.getUint8(1)]).toEqual([sending.port, sending.code])
        expect(inner.getUint32(8)).toBe(packet.token)
      } else {
        expect(inner.getUint16(2)).toBe(sending.port)
        expect(inner.getUint32(packet.protocol === 'tcp' ? 4 : 8)).toBe(packet.token)
      }
    }),
  )
})

test('a datagram never says that it has no checksum', () => {
  // RFC 768: a sum that comes out as zero is sent as all ones.
  const sending = { ...fc.sample(anySending, 1)[0] } as TraceSending
  for (let token = 1; token < 70_000; token++) {
    const packet: TracedPacket = { protocol: 'udp', identification: 1, token }
    const frame = traceFrame(packet, sending)
    if (new DataView(frame.buffer).getUint16(14 + 20 + 6) === 0) throw new Error(`token ${token}`)
  }
})

test('the script replaces what an earlier trace has left, and matches by numbers only', () => {
  fc.assert(
    fc.property(anyPacket, (packet) => {
      const script = traceScript(packet)
      expect(script.startsWith(removeTraceScript())).toBe(true)
      const rule = script.split('\n').find((line) => line.includes(' goto trace'))
      expect(rule).toContain(` ${packet.token} goto trace`)
      expect(rule).toContain(`ip id ${packet.identification}`)
    }),
  )
})
