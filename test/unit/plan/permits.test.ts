import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { ALL_OUT, type EnforcedMatch } from '../../../src/model/group-rule.ts'
import type { HostWant } from '../../../src/model/want.ts'
import { isPermitted, isWithdrawn, permissionsOf } from '../../../src/plan/permits.ts'
import { anyRulesOf, type RulesOfGroups, withRules } from '../../kit/group-rules.ts'
import { numbered } from '../../kit/records.ts'
import { testGroup, testInstance, testWant } from '../../kit/testbed.ts'

const FLOAT = ipv4('203.0.113.9')
const ADDRESSES = ['172.31.0.11', '172.31.0.12', '172.31.0.13', '198.51.100.2'].map(ipv4)
const anyFlow = fc.record({
  source: fc.constantFrom(...ADDRESSES),
  destination: fc.constantFrom(...ADDRESSES),
  protocol: fc.constantFrom(1, 6, 17, 253),
  port: fc.constantFrom(0, 8, 13, 22, 80, 443),
  code: fc.constantFrom(0, 1),
})
const anyGroups = fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 })
const anyWant = fc
  .tuple(anyGroups, anyGroups, anyGroups, anyRulesOf([1, 2, 3]))
  .map(([a, b, c, rules]) => wantOf([a, b, c], rules))

function wantOf(groups: readonly (readonly number[])[], rules: RulesOfGroups): HostWant {
  const instances = groups.map((of, at) => testInstance(11 + at, [...of]))
  return withRules(testWant(...instances), rules)
}

test('what was permitted and is not any more was withdrawn', () => {
  fc.assert(
    fc.property(anyWant, anyWant, anyFlow, (before, now, flow) => {
      const [was, is] = [permissionsOf(before), permissionsOf(now)]
      const isEnded = isPermitted(flow, was) && !isPermitted(flow, is)
      if (isEnded) expect(isWithdrawn(was, is)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

const inbound: EnforcedMatch = {
  ...ALL_OUT,
  egress: false,
  peer: { kind: 'group', group: testGroup(2) },
}
test.each<[string, HostWant, boolean]>([
  ['nothing', wantOf([[1], [2], [3]], { 1: [ALL_OUT, inbound] }), false],
  ['one more rule', wantOf([[1], [2], [3]], { 1: [ALL_OUT, inbound], 2: [inbound] }), false],
  ['one more group', wantOf([[1, 2], [2], [3]], { 1: [ALL_OUT, inbound] }), false],
  ['one more instance', wantOf([[1], [2], [3], [1]], { 1: [ALL_OUT, inbound] }), false],
  ['an instance that is gone', wantOf([[1], [2]], { 1: [ALL_OUT, inbound] }), false],
  ['a rule that is gone', wantOf([[1], [2], [3]], { 1: [ALL_OUT] }), true],
  ['a group that was left', wantOf([[1], [3], [3]], { 1: [ALL_OUT, inbound] }), true],
])('%s', (_what, now, expected) => {
  const before = wantOf([[1], [2], [3]], { 1: [ALL_OUT, inbound] })
  expect(isWithdrawn(permissionsOf(before), permissionsOf(now))).toBe(expected)
})

test('who comes back from another host may have been permitted more when it left', () => {
  const rules = { 1: [ALL_OUT, inbound] }
  const here = wantOf([[1], [2], [3], [1]], rules)
  const ip = here.local.instances[3]?.nics[0]?.ip ?? FLOAT
  const { local } = wantOf([[1], [2], [3]], rules)
  const routes = [{ ip, via: ipv4('192.0.2.7') }]
  const away = permissionsOf({ local, shared: { ...here.shared, routes } })
  expect(isWithdrawn(away, permissionsOf(here))).toBe(true)
  expect(isWithdrawn(permissionsOf(here), away)).toBe(false)
})

test('who leaves a group of a peered VPC loses what it permitted', () => {
  const inside = wantOf([[1]], { 1: [ALL_OUT, inbound] })
  const peer = (members: readonly string[]) => ({
    ...{ id: testGroup(2), vpc: numbered('vpc', 99), rules: [] },
    members: members.map(ipv4),
  })
  const wants = [['10.8.0.5', '10.8.0.6'], ['10.8.0.5'], null].map((members) => ({
    ...inside,
    shared: {
      ...inside.shared,
      groups: [
        ...inside.shared.groups.filter(({ id }) => id !== testGroup(2)),
        ...(members === null ? [] : [peer(members)]),
      ],
    },
  }))
  const [both, one, none] = wants.map(permissionsOf)
  if (both === undefined || one === undefined || none === undefined) throw new Error('three')
  const from = (source: string) => ({
    ...{ source: ipv4(source), destination: ipv4('172.31.0.11'), protocol: 6, port: 22, code: 0 },
  })
  expect(isPermitted(from('10.8.0.6'), both)).toBe(true)
  expect(isPermitted(from('10.8.0.6'), one)).toBe(false)
  expect(isWithdrawn(both, one)).toBe(true)
  expect(isWithdrawn(one, both)).toBe(false)
  expect(isWithdrawn(one, none)).toBe(true)
})

test('what comes by a floating IP is judged by the groups of the instance that it leads to', () => {
  const world: EnforcedMatch = {
    egress: false,
    protocol: 6,
    fromPort: 22,
    toPort: 22,
    peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') },
  }
  const withFloat = (rules: RulesOfGroups): HostWant => {
    const want = wantOf([[1], [2], [3]], rules)
    const instances = want.local.instances.map((one, at) =>
      at > 0 ? one : { ...one, nics: one.nics.map((nic) => ({ ...nic, publicIp: FLOAT })) },
    )
    return { ...want, local: { ...want.local, instances } }
  }
  const source = ipv4('198.51.100.2')
  const flow = { source, destination: FLOAT, protocol: 6, port: 22, code: 0 }
  const open = withFloat({ 1: [world] })
  const closed = withFloat({ 2: [world] })
  expect(isPermitted(flow, permissionsOf(open))).toBe(true)
  expect(isPermitted(flow, permissionsOf(closed))).toBe(false)
  expect(isPermitted({ ...flow, port: 23 }, permissionsOf(open))).toBe(false)
  expect(isWithdrawn(permissionsOf(open), permissionsOf(closed))).toBe(true)
})
