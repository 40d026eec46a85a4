/**
 * Entries of the connection table that go on on another host. test/lab/carried-flows.test.ts has
 * the kernel's judgement.
 */
import { expect, test } from 'vitest'
import { attributesOf } from '../../../../src/host/netlink/attributes.ts'
import { carriedIn, encodeCarried } from '../../../../src/host/network/carried-entries.ts'
import { attribute, CTA, HEADER_BYTES } from '../../../../src/host/network/conntrack-layout.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import type { CarriedFlow } from '../../../../src/model/carried-flow.ts'

const FLOW: CarriedFlow = {
  ...{ protocol: 6, source: ipv4('10.0.0.1'), sourcePort: 40_000 },
  ...{ destination: ipv4('10.0.0.2'), destinationPort: 22 },
  ...{ state: 3, seconds: 431_999, isAssured: true },
}
const UDP: CarriedFlow = { ...FLOW, protocol: 17, state: 0, seconds: 30, isAssured: false }

const entryOf = (flow: CarriedFlow) => Buffer.concat(encodeCarried(flow))
const number = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
/** The entry with another attribute of a kind, which counts because it comes last. */
const withOther = (type: number, payload: Buffer, flow = FLOW) =>
  Buffer.concat([entryOf(flow), attribute(type, payload)])
const replyOf = (flow: CarriedFlow): Buffer =>
  attributesOf(entryOf(flow).subarray(HEADER_BYTES)).get(CTA.reply) ?? Buffer.alloc(0)

test.each([FLOW, UDP, { ...FLOW, state: 7 }])('what is made is read as it was: %j', (flow) => {
  expect(carriedIn(entryOf(flow))).toEqual(flow)
})

test('what the kernel keeps longer than we say is kept as long as we say', () => {
  const entry = withOther(CTA.timeout, number(900_000))
  expect(carriedIn(entry)?.seconds).toBe(432_000)
})

test.each<[string, Buffer]>([
  ['has not been answered', withOther(CTA.status, number(0b1000))],
  ['is being removed', withOther(CTA.status, number(0b10_0000_1110))],
  ['has ended', withOther(CTA.timeout, number(0))],
  ['is in a zone', withOther(CTA.zone, Buffer.of(0, 7))],
  ['is TCP without a state', withOther(CTA.protocolInfo, Buffer.alloc(0))],
  ['begins', entryOf({ ...FLOW, state: 1 })],
  ['is closed', entryOf({ ...FLOW, state: 8 })],
  ['is ICMP', entryOf({ ...UDP, protocol: 1 })],
  [
    'has another source by translation',
    withOther(CTA.reply, replyOf({ ...FLOW, source: ipv4('10.0.0.9') })),
  ],
  [
    'has another destination',
    withOther(CTA.reply, replyOf({ ...FLOW, destination: ipv4('10.0.0.9') })),
  ],
  ['has another port', withOther(CTA.reply, replyOf({ ...FLOW, sourcePort: 1 }))],
  ['has no ends', withOther(CTA.original, Buffer.alloc(0))],
  ['is empty', Buffer.alloc(HEADER_BYTES)],
])('leaves out what %s', (_what, entry) => {
  expect(carriedIn(entry)).toBeUndefined()
})
