/** Connections by a NAT gateway with an address: which go on, on its carrier and on other hosts. */
import { expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import type { TrackedFlow } from '../../../src/model/flow.ts'
import type { WayOut } from '../../../src/model/ways-out.ts'
import { isLedAway, isRerouted, isRouted, waysOf } from '../../../src/plan/route-rules.ts'
import { withRouting } from '../../kit/any-routing.ts'
import { numbered } from '../../kit/records.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

const OUTSIDE = ipv4('198.51.100.2')
const [HERE, ELSEWHERE] = [ipv4('172.31.0.11'), ipv4('172.31.0.10')]
const IP = ipv4('203.0.113.9')
const BY: WayOut = { kind: 'nat-address', gateway: numbered('nat', 1), ip: IP }
const THERE: WayOut = { ...BY, via: ipv4('10.0.0.2') }

const ways = (to: WayOut) =>
  waysOf(
    withRouting(testWant(testInstance(11, [1])), [
      [[{ destination: cidr('0.0.0.0/0'), to }], null],
      [[], null],
    ]),
  )
const flow = (source: typeof HERE, answerTo: typeof HERE): TrackedFlow => ({
  ...{ source, destination: OUTSIDE, protocol: 6, port: 443, code: 0 },
  ...{ answerFrom: OUTSIDE, answerTo },
})

it('on the carrier they have its address, from whichever host they come', () => {
  expect(isRouted(flow(HERE, IP), ways(BY))).toBe(true)
  expect(isRouted(flow(ELSEWHERE, IP), ways(BY))).toBe(true)
  // By its host's address, or untranslated: from before.
  expect(isRouted(flow(HERE, ipv4('100.64.0.3')), ways(BY))).toBe(false)
  expect(isRouted(flow(HERE, HERE), ways(BY))).toBe(false)
})

it('on the carrier they end when the routes lead to another gateway, or to none', () => {
  const other: WayOut = { ...BY, gateway: numbered('nat', 2), ip: ipv4('203.0.113.8') }
  for (const source of [HERE, ELSEWHERE])
    for (const to of [other, { kind: 'blackhole' } as const])
      expect(isRouted(flow(source, IP), ways(to)), `${source} ${to.kind}`).toBe(false)
})

it('on another host they have no other address than their own', () => {
  expect(isRouted(flow(HERE, HERE), ways(THERE))).toBe(true)
  expect(isRouted(flow(HERE, IP), ways(THERE))).toBe(false)
  expect(isRouted(flow(HERE, ipv4('100.64.0.3')), ways(THERE))).toBe(false)
})

it('a host that carried it until now ends all, and one that is led to it until now, too', () => {
  const [before, after] = [ways(BY), ways(THERE)]
  expect(isRerouted(before, after)).toBe(true)
  for (const source of [HERE, ELSEWHERE]) expect(isRouted(flow(source, IP), after)).toBe(false)
  expect(isLedAway(flow(HERE, HERE), after, ways({ kind: 'internet' }))).toBe(true)
  expect(isLedAway(flow(HERE, HERE), after, ways({ kind: 'blackhole' }))).toBe(true)
})

it('those of an instance here whose subnet has no routes of its own go on with its host’s address', () => {
  const want = waysOf(testWant(testInstance(11, [1])))
  expect(isRouted(flow(HERE, ipv4('198.51.100.1')), want)).toBe(true)
})
