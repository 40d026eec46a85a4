/**
 * Tracing a packet on real hosts: it takes the way of every other packet, the hosts that it crosses
 * say where it went and why it was dropped, in VPCs with the same addresses, too, and nothing of it
 * is left.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { nicLinkName } from '../../src/model/names.ts'
import type { TraceAsk, TracedPacket, TracePart, TraceSending } from '../../src/model/trace.ts'
import { createTracing } from '../../src/services/tracing.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import {
  createVpcTestbed,
  type GuestSpec,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'

const FLOAT = ipv4('198.51.100.201')
const GUEST_SPECS = {
  a: { vpc: 'plain', at: 0, number: 11 },
  b: { vpc: 'plain', at: 0, number: 12 },
  far: { vpc: 'plain', at: 1, number: 13 },
  red: { vpc: 'red', at: 0, number: 20 },
  redFar: { vpc: 'red', at: 1, number: 21, publicIp: FLOAT },
  blue: { vpc: 'blue', at: 0, number: 20 },
  // Of a peer of plain.
  green: { vpc: 'green', at: 1, number: 22 },
} as const satisfies Record<string, GuestSpec>

let testbed: VpcTestbed
let tracers: readonly ((ask: TraceAsk) => Promise<{ readonly parts: readonly TracePart[] }>)[]
let lastToken = 0x1000
/** Most of it is for the program that reads the trace, on a machine that runs other tests, too. */
const ON_THE_WAY_MS = 1_500

beforeAll(async () => {
  testbed = await createVpcTestbed('direct', 2, Object.values(GUEST_SPECS))
  tracers = [0, 1].map((at) => {
    const { host, inside } = testbed.host(at)
    const trace = createTracing({ host, clock: systemClock, log: silentLog })
    return (ask) => inside(() => trace(ask))
  })
}, 120_000)
afterAll(() => testbed.destroy())

function nicOf(home: GuestSpec) {
  const [nic] = vpcInstance(home).nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nic
}

function packetOf(protocol: TracedPacket['protocol']): TracedPacket {
  lastToken += 1
  return { protocol, identification: lastToken & 0xffff, token: lastToken }
}

/** Traces on both hosts, and gives what each saw. */
async function trace(
  from: GuestSpec,
  destination: string,
  protocol: TracedPacket['protocol'],
  port: number,
): Promise<readonly (readonly TracePart[])[]> {
  const nic = nicOf(from)
  const packet = packetOf(protocol)
  const how: TraceSending = {
    ...{ link: nicLinkName(nic.id), from: nic.mac, network: nic.network ?? null },
    ...{ source: nic.ip, destination, port, code: 0 },
  }
  for (const ask of tracers) await ask({ do: 'watch', packet, networks: [1, 2, 3] })
  await tracers[from.at]?.({ do: 'send', packet, how })
  await systemClock.sleep(ON_THE_WAY_MS)
  const seen = []
  for (const ask of tracers) seen.push((await ask({ do: 'report', packet })).parts)
  return seen
}

const linksOf = (parts: readonly TracePart[] = []) =>
  parts.flatMap(({ steps }) => steps.flatMap(({ to }) => to ?? []))
const dropsOf = (parts: readonly TracePart[] = []) =>
  parts.flatMap(({ steps }) => steps.filter(({ verdict }) => verdict === 'drop'))

describe.each(['tcp', 'udp', 'icmp'] as const)('%s', (protocol) => {
  const port = protocol === 'icmp' ? 8 : 22
  test('on the same host', async () => {
    const [here] = await trace(GUEST_SPECS.a, nicOf(GUEST_SPECS.b).ip, protocol, port)
    expect(linksOf(here)).toContain(nicLinkName(nicOf(GUEST_SPECS.b).id))
    expect(JSON.stringify(here)).toContain('rule_sgr_')
    expect(dropsOf(here)).toEqual([])
  })

  test('to another host', async () => {
    const [here, there] = await trace(GUEST_SPECS.a, nicOf(GUEST_SPECS.far).ip, protocol, port)
    expect(dropsOf(here)).toEqual([])
    expect(linksOf(there)).toContain(nicLinkName(nicOf(GUEST_SPECS.far).id))
  })

  test('to another host in a VPC of its own', async () => {
    const [here, there] = await trace(GUEST_SPECS.red, nicOf(GUEST_SPECS.redFar).ip, protocol, port)
    expect(here?.filter(({ steps }) => steps.length > 0).map(({ network }) => network)).toEqual([1])
    expect(linksOf(there)).toContain(nicLinkName(nicOf(GUEST_SPECS.redFar).id))
  })
})

test('a floating IP, through three namespaces', async () => {
  const [here, there] = await trace(GUEST_SPECS.blue, FLOAT, 'tcp', 7003)
  const seen = (parts: readonly TracePart[] = []) =>
    parts.filter(({ steps }) => steps.length > 0).map(({ network }) => network)
  expect([seen(here), seen(there)]).toEqual([
    [2, null],
    [null, 1],
  ])
  expect(JSON.stringify(there)).toContain('dnat')
  expect(linksOf(there)).toContain(nicLinkName(nicOf(GUEST_SPECS.redFar).id))
})

/** The namespaces in which each host saw it. */
const placesOf = (seen: readonly (readonly TracePart[])[]) =>
  seen.map((parts) => parts.flatMap(({ steps, network }) => (steps.length > 0 ? [network] : [])))

test('from a peer of the first default VPC', async () => {
  const seen = await trace(GUEST_SPECS.green, nicOf(GUEST_SPECS.a).ip, 'tcp', 7003)
  expect(placesOf(seen)).toEqual([[3, null], [3]])
  expect(dropsOf(seen.flat())).toEqual([])
  expect(linksOf(seen[0])).toContain(nicLinkName(nicOf(GUEST_SPECS.a).id))
})

test('to a peer of the first default VPC, whose groups refuse it', async () => {
  const seen = await trace(GUEST_SPECS.a, nicOf(GUEST_SPECS.green).ip, 'tcp', 7003)
  expect(placesOf(seen)).toEqual([[null, 3], [3]])
  expect(linksOf(seen[0])).toContain('at-p-3')
  expect(dropsOf(seen[0])).toEqual([])
  expect(dropsOf(seen[1]).map(({ rule }) => rule)).toEqual([
    expect.stringContaining('dropped_group'),
  ])
})

test('a packet that is dropped', async () => {
  const [here, there] = await trace(GUEST_SPECS.blue, FLOAT, 'tcp', 22)
  expect(dropsOf(here)).toEqual([])
  expect(dropsOf(there).map(({ rule }) => rule)).toEqual([expect.stringContaining('dropped_group')])
})

test('one at a time, and nothing is left of one that nobody ends', async () => {
  const [ask] = tracers
  if (ask === undefined) throw new Error('there is a host')
  const packet = packetOf('tcp')
  await ask({ do: 'watch', packet, networks: [] })
  await expect(ask({ do: 'watch', packet: packetOf('tcp'), networks: [] })).rejects.toThrow(
    'another trace',
  )
  const tables = () => testbed.host(0).netns.must(['nft', 'list', 'tables'])
  expect(await tables()).toContain('atoll_trace')
  // As after the end of a daemon: the next one replaces all tables.
  await testbed.pass({ restart: true })
  expect(await tables()).not.toContain('atoll_trace')
  await eventually(
    'it ends by itself',
    async () => {
      const next = packetOf('tcp')
      return await ask({ do: 'watch', packet: next, networks: [] }).then(
        () => ask({ do: 'report', packet: next }).then(() => true),
        () => false,
      )
    },
    30_000,
  )
  expect(await tables()).not.toContain('atoll_trace')
})
