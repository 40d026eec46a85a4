/**
 * When a node is restarted: any that is stuck, in the end; never one that works, nor the last one
 * that has every commit.
 */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { type NodeStatus, nodeStatus } from '../../../../engines/galera/status.ts'
import {
  decideStuck,
  fingerprint,
  MIN_FREE_BYTES,
  type Question,
} from '../../../../engines/galera/stuck.ts'

const nodes = ['a', 'b', 'c']
const FOREVER_MS = 24 * 3600 * 1000
const synced: NodeStatus = {
  component: 'Primary',
  state: 'Synced',
  ready: true,
  size: 3,
  desyncs: 0,
  history: 'history',
  commit: 100,
  receivedBytes: 1000,
}
const votedOut = { ...synced, component: 'Disconnected', state: 'Inconsistent', ready: false }
const unreadyDonor = { ...synced, state: 'Donor/Desynced', ready: false }
const donor = { ...synced, state: 'Donor/Desynced' }
const joining = { ...synced, state: 'Joining: receiving State Transfer', ready: false }
const apart = { ...synced, component: 'non-Primary', ready: false }

function ask(own: NodeStatus | null, more: Partial<Question> = {}) {
  const heard = new Map([
    ['b', synced],
    ['c', synced],
  ])
  const all = { nodes, self: 'a', own, sameForMs: FOREVER_MS, freeBytes: MIN_FREE_BYTES, heard }
  return decideStuck({ ...all, ...more })
}

const heardNobody = new Map<string, NodeStatus>()
const heardOne = new Map([['b', synced]])

describe('after a long time', () => {
  test.each([
    // What it is, what becomes of it beside two healthy ones, beside one, and alone.
    ['healthy', synced, ['healthy', 'healthy', 'healthy']],
    ['voted out', votedOut, ['restart', 'restart', 'restart']],
    ['a donor that does not serve', unreadyDonor, ['restart', 'restart', 'wait']],
    // One of three is not heard: it may be the one that is fed.
    ['a donor that serves', donor, ['restart', 'wait', 'wait']],
    ['a donor on purpose', { ...donor, desyncs: 1 }, ['wait', 'wait', 'wait']],
    ['one that takes what it missed', joining, ['restart', 'restart', 'wait']],
    ['one that does not answer', null, ['restart', 'restart', 'wait']],
    ['outside of a primary component', apart, ['wait', 'wait', 'wait']],
  ] as const)('%s', (_what, own, expected) => {
    const heards = [undefined, heardOne, heardNobody]
    expect(
      heards.map((heard) => ask(own, heard === undefined ? {} : { heard }).kind),
    ).toStrictEqual(expected)
  })
})

it('a donor that has not heard of a loss is told by the others', () => {
  const left = { ...synced, size: 2 }
  expect(ask(donor, { heard: new Map([['b', left]]) }).kind).toBe('restart')
})

describe('nothing is restarted', () => {
  it.each([
    ['at first sight', { sameForMs: 0 }],
    ['on a full disk', { freeBytes: MIN_FREE_BYTES - 1 }],
  ])('%s', (_what, more) => {
    for (const own of [synced, votedOut, unreadyDonor, donor, joining, apart, null])
      expect(ask(own, more).kind).not.toBe('restart')
  })

  it('that is a member, where others are healthy in another history', () => {
    const heard = new Map([['b', { ...synced, history: 'another' }]])
    expect(ask(unreadyDonor, { heard }).kind).toBe('wait')
  })
})

it('members go one after the other, those that were voted out at once', () => {
  const waitOf = (own: NodeStatus | null, self: string) => {
    const heard = new Map(nodes.filter((node) => node !== self).map((node) => [node, synced]))
    for (let sameForMs = 0; ; sameForMs += 1000)
      if (ask(own, { self, heard, sameForMs }).kind === 'restart') return sameForMs
  }
  for (const own of [unreadyDonor, donor, joining, null]) {
    const [a = 0, b = 0, c = 0] = nodes.map((self) => waitOf(own, self))
    expect(b - a).toBeGreaterThan(10_000)
    expect(c - b).toBeGreaterThan(10_000)
  }
  expect(new Set(nodes.map((self) => waitOf(votedOut, self))).size).toBe(1)
})

test('whatever is seen: a member is restarted only beside a healthy one, and a healthy one never', () => {
  const status: fc.Arbitrary<NodeStatus> = fc.record({
    component: fc.constantFrom('Primary', 'non-Primary', 'Disconnected'),
    state: fc.constantFrom('Synced', 'Donor/Desynced', 'Joining', 'Joined', 'Inconsistent', '?'),
    ready: fc.boolean(),
    size: fc.nat(3),
    desyncs: fc.nat(1),
    history: fc.constantFrom('history', 'another'),
    commit: fc.nat(5),
    receivedBytes: fc.nat(5),
  })
  const question = fc.record({
    nodes: fc.constant(nodes),
    self: fc.constantFrom(...nodes),
    own: fc.option(status),
    sameForMs: fc.nat(400_000),
    freeBytes: fc.nat(2 * MIN_FREE_BYTES),
    heard: fc.array(fc.tuple(fc.constantFrom(...nodes), status)).map((all) => new Map(all)),
  })
  fc.assert(
    fc.property(question, (asked) => {
      if (decideStuck(asked).kind !== 'restart') return
      const { own, self, heard } = asked
      const isMember =
        own === null || !(own.state === 'Inconsistent' || own.component === 'Disconnected')
      const others = [...heard].filter(([node]) => node !== self).map(([, one]) => one)
      const isServing = (one: NodeStatus) =>
        one.component === 'Primary' && one.state === 'Synced' && one.ready
      expect(own !== null && isServing(own)).toBe(false)
      if (isMember) expect(others.some(isServing)).toBe(true)
    }),
    { numRuns: 1000 },
  )
})

test.each([
  ['a commit of others', unreadyDonor, { commit: 101, receivedBytes: 2000 }, false],
  ['a commit that it catches up with', joining, { commit: 101 }, true],
  ['bytes that it is sent', joining, { receivedBytes: 2000 }, true],
  ['another state', donor, { state: 'Joined' }, true],
  ['its service', donor, { ready: false }, true],
])('%s is a sign of life or is not', (_what, own, change, isLife) => {
  expect(fingerprint({ ...own, ...change }, 'disk') !== fingerprint(own, 'disk')).toBe(isLife)
})

test('what is written to its disk is a sign of life of one that does not answer', () => {
  expect(fingerprint(null, 'one')).not.toBe(fingerprint(null, 'other'))
  expect(fingerprint(null, 'one')).toBe(fingerprint(null, 'one'))
})

test('a server without Galera has no status, and what it says is read whatever it is', () => {
  expect(nodeStatus([['wsrep_ready', 'OFF']])).toBeNull()
  const said = nodeStatus([
    ['wsrep_provider_name', 'Galera'],
    ['wsrep_cluster_status', 'Primary'],
    ['wsrep_local_state_comment', 'Synced'],
    ['wsrep_ready', 'ON'],
    ['wsrep_cluster_size', '3'],
    ['wsrep_last_committed', '-1'],
  ])
  expect(said).toStrictEqual({
    ...synced,
    history: '',
    commit: 0,
    receivedBytes: 0,
  })
})
