/** What a trace says: where the packet went, what decided, and nothing that a terminal obeys. */
import { expect, test } from 'vitest'
import { ALL_OUT } from '../../../src/model/group-rule.ts'
import { nicLinkName } from '../../../src/model/names.ts'
import type { TraceStep } from '../../../src/model/trace.ts'
import type { CloudRecords, End } from '../../../src/plan/explain-question.ts'
import { reportTrace } from '../../../src/plan/trace-report.ts'
import {
  hostName,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  numbered,
} from '../../kit/records.ts'

const [HERE, THERE] = [hostName('h1'), hostName('h2')]
const NICS = [1, 2].map((number) => ({
  ...nicRecord(instanceId(number), number),
  // Names of links are the beginnings of ids.
  id: numbered('eni', number << 20),
  ...{ host: number === 1 ? HERE : THERE, nameTag: null },
}))
const [FROM, TO] = NICS.map(({ id }) => nicLinkName(id))
const RULE = { ...ALL_OUT, id: numbered('sgr', 7), group: network.group.id }
const RECORDS: CloudRecords = {
  ...{ hosts: [], instances: [], nics: NICS, subnets: [], peerings: [], routing: [] },
  vpcs: [{ ...network.vpc, network: 5 }],
  groups: [network.group],
  groupRules: [{ ...RULE, account: network.vpc.account, vpc: network.vpc.id, description: '' }],
  nameTags: new Map(),
}
const [, nic = null] = NICS
const DESTINATION: End = {
  ...{ kind: 'instance', nic, floatingIp: null },
  instance: instanceRecord(instanceId(2), THERE),
}
const OUTSIDE: End = { kind: 'address', ip: nic?.ip ?? network.vpc.cidr.network }

const step = (changes: Partial<TraceStep>): TraceStep => ({
  ...{
    table: 'inet atoll',
    chain: 'forward',
    rule: null,
    verdict: 'continue',
    from: null,
    to: null,
  },
  ...changes,
})
const LEFT = [
  step({ from: FROM ?? '', to: 'at-fabric' }),
  step({ rule: `counter name "rule_${RULE.id.replace('-', '_')}" accept`, verdict: 'accept' }),
]
const report = (there: readonly TraceStep[], destination: End = DESTINATION, here = LEFT) =>
  reportTrace(
    'tcp/22',
    destination,
    [
      {
        host: HERE,
        parts: [
          { network: null, steps: [] },
          { network: 5, steps: here },
        ],
      },
      { host: THERE, parts: [{ network: 5, steps: there }] },
    ],
    RECORDS,
  )

test('each host and namespace says where it came by, what let it pass, and where it went on', () => {
  const { passes, text, lines } = report([step({ from: 'at-fabric', to: TO ?? '' })])
  expect([passes, text]).toEqual([true, 'tcp/22: it arrived.'])
  expect(lines.map(({ host, vpc, text }) => `${host} ${vpc}: ${text}`)).toEqual([
    `h1 ${network.vpc.id}: It comes by ${NICS[0]?.id} of ${instanceId(1)} (${FROM}).`,
    `h1 ${network.vpc.id}: Rule ${RULE.id} of group default (${RULE.group}) lets it out: everything to 0.0.0.0/0.`,
    `h1 ${network.vpc.id}: It goes on by the fabric (at-fabric).`,
    `h2 ${network.vpc.id}: It comes by the fabric (at-fabric).`,
    `h2 ${network.vpc.id}: It goes on by ${NICS[1]?.id} of ${instanceId(2)} (${TO}).`,
  ])
})

test.each([
  [
    'a rule of ours',
    step({ rule: 'counter name "dropped_group" drop', verdict: 'drop', from: 'eth0' }),
    'It is dropped (group): no rule of a security group lets it pass.',
  ],
  [
    'a reason that this version does not know',
    step({ rule: 'counter name "dropped_new_thing" drop', verdict: 'drop' }),
    'It is dropped (new_thing).',
  ],
  [
    'a policy',
    step({ table: 'ip filter', chain: 'FORWARD', verdict: 'drop' }),
    'The policy of ip filter FORWARD drops it.',
  ],
  [
    'a rule of another program',
    step({ table: 'inet ufw', rule: 'tcp dport 22 drop', verdict: 'drop' }),
    'A rule of inet ufw forward drops it: tcp dport 22 drop',
  ],
])('dropped by %s', (_what, drop, text) => {
  const found = report([drop])
  expect(found.passes).toBe(false)
  expect(found.text).toBe(`tcp/22: dropped on host h2. ${text}`)
  expect(found.lines.at(-1)).toMatchObject({ host: THERE, stops: true, text })
})

test('seen nowhere, last seen, and taken by the host', () => {
  expect(report([], DESTINATION, []).text).toBe('tcp/22: no host saw it.')
  expect(report([]).text).toContain('it was last seen on host h1. It goes on by the fabric')
  expect(report([step({ from: 'eth0' })]).text).toContain('the host has no route for it')
  const taken = step({ from: 'eth0', chain: 'accepted_by_host', verdict: 'accept' })
  expect(report([taken], OUTSIDE).passes).toBe(true)
})

test.each([
  ['at-world', false],
  ['at-t-5', false],
  ['at-p-5', false],
  ['at-fabric', false],
  ['eth0', true],
])('to an address outside, by %s: %s', (link, passes) => {
  expect(report([step({ from: 'eth1', to: link })], OUTSIDE, []).passes).toBe(passes)
})

test('address translation, known connections, and rules of others are told', () => {
  const texts = report([
    step({ from: 'eth0', rule: 'ip daddr 198.51.100.7 dnat ip to 10.0.0.5' }),
    step({ rule: 'masquerade', verdict: 'accept' }),
    step({ rule: 'ct state established,related accept', verdict: 'accept' }),
    step({ table: 'inet other', chain: 'c', rule: 'tcp dport 22 accept', verdict: 'accept' }),
    step({ rule: 'counter name "rule_sgr_0123" accept', verdict: 'accept' }),
  ]).lines.map(({ text }) => text)
  expect(texts).toEqual(
    expect.arrayContaining([
      'Its destination, a floating IP, is translated.',
      'Its source becomes an address of that link.',
      'It belongs to a connection that is there already.',
      'Rule of another program, inet other c: tcp dport 22 accept',
      'Rule sgr-0123, which is gone, lets it pass.',
    ]),
  )
})

test('what other hosts and programs say cannot steer a terminal', () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J\r\n  ok   all is well'
  const { text, lines } = report([
    step({ from: evil, to: evil, table: `inet ${evil}`, chain: evil, rule: evil, verdict: 'drop' }),
  ])
  for (const one of [text, ...lines.map((line) => line.text)]) expect(one).not.toMatch(/\p{Cc}/u)
})
