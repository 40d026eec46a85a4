/** While members come and go, no majority consents while what another one has granted lasts. */
import { expect, it } from 'vitest'
import type { HostName } from '../../src/model/ids.ts'
import { isMajority, type Membership, mayFollow } from '../../src/plan/failover/membership.ts'
import { adopt, answer, type Peer, type Question, startPeer } from '../../src/plan/failover/peer.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../src/plan/failover/times.ts'
import { type Stream, streamOf } from '../../tools/sim/random.ts'
import { hostName } from '../kit/records.ts'

const HOSTS = ['a', 'b', 'c', 'd', 'e', 'f'].map(hostName)
const SUBJECT = hostName('a')
const times = failoverTimes(FAILOVER_SETTINGS)
const SEEDS = 1_000
const STEPS = 250

const RULES = { adopt, mayFollow, startPeer }

/** Whether consent was ever won too early, and how often it was won at all. */
function history(seed: number, rules = RULES, restarts = false) {
  const random = streamOf(seed, 'members')
  const memberships: Membership[] = [{ version: 1, members: HOSTS.slice(0, 3) }]
  const [first] = memberships as [Membership]
  const peers = new Map<HostName, Peer>(HOSTS.map((host) => [host, startPeer(first, 0, times)]))
  /** As the records have it, whoever has been restarted since. */
  const acknowledged = new Map(HOSTS.map((host) => [host, first.version]))
  const startedAtMs = new Map<HostName, number>()
  let nowMs = times.promiseMs
  let grantedAtMs = Number.NEGATIVE_INFINITY
  let consents = 0
  for (let step = 0; step < STEPS; step += 1) {
    nowMs += random.chance(0.2) ? random.between(0, times.promiseMs) : 0
    const kind = random.pick<Question | 'propose' | 'adopt' | 'restart'>([
      ...(['propose', 'adopt', 'adopt', 'grant', 'consent', 'consent'] as const),
      ...(restarts && random.chance(0.1) ? (['restart'] as const) : []),
    ])
    if (kind === 'propose') propose(random, memberships, acknowledged, rules)
    const host = random.pick(HOSTS) ?? SUBJECT
    const known = random.pick(memberships.slice(-3))
    if (kind === 'restart') {
      peers.delete(host)
      startedAtMs.set(host, nowMs)
    }
    if (kind === 'adopt' && known !== undefined) hears(host, known)
    if ((kind !== 'grant' && kind !== 'consent') || known === undefined) continue
    const asked = HOSTS.filter(() => random.chance(0.6))
    const yes = new Set(asked.filter((to) => says(to, kind, known.version)))
    if (!isMajority(known, yes)) continue
    if (kind === 'grant') grantedAtMs = nowMs
    else if (nowMs < grantedAtMs + times.promiseMs) return { consents, tooEarly: true }
    else consents += 1
  }
  return { consents, tooEarly: false }

  function hears(host: HostName, known: Membership): void {
    const newest = memberships.at(-1) ?? known
    const peer = peers.get(host)
    const next =
      peer === undefined
        ? rules.startPeer(newest, nowMs, times, startedAtMs.get(host))
        : rules.adopt(peer, known, nowMs, times)
    peers.set(host, next)
    acknowledged.set(host, next.membership.version)
  }
  function change(host: HostName, next: (peer: Peer) => Peer): void {
    const peer = peers.get(host)
    if (peer !== undefined) peers.set(host, next(peer))
  }
  function says(to: HostName, question: Question, version: number): boolean {
    let yes = false
    change(to, (peer) => {
      const said = answer(peer, question, SUBJECT, version, nowMs, times)
      yes = said.yes
      return said.peer
    })
    return yes
  }
}

/** Another membership, with a host more or less. */
function propose(
  random: Stream,
  memberships: Membership[],
  acknowledged: ReadonlyMap<HostName, number>,
  rules: typeof RULES,
): void {
  const current = memberships.at(-1)
  const host = random.pick(HOSTS.filter((one) => one !== SUBJECT))
  if (current === undefined || host === undefined) return
  const { version, members } = current
  const others = members.filter((one) => one !== host)
  const next = others.length < members.length ? others : [...members, host]
  const knows = HOSTS.filter((one) => acknowledged.get(one) === version)
  if (rules.mayFollow(current, new Set(knows), { version: version + 1, members: next }))
    memberships.push({ version: version + 1, members: next })
}

it.each([
  ['as long as all go on', false],
  ['whoever is switched off, and hears late of the members', true],
])('keeps grants and consent apart, %s', (_case, restarts) => {
  let consents = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { tooEarly, consents: won } = history(seed, RULES, restarts)
    expect(tooEarly, `seed ${seed}`).toBe(false)
    consents += won
  }
  expect(consents).toBeGreaterThan(SEEDS)
})

it('would not, if a change were made before a majority knows the last one', () => {
  const mayFollowAtOnce: typeof mayFollow = (current, _known, next) =>
    mayFollow(current, new Set(current.members), next)
  const wrong = { ...RULES, mayFollow: mayFollowAtOnce }
  const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1)
  expect(seeds.some((seed) => history(seed, wrong).tooEarly)).toBe(true)
})

it('needs members that consent to nothing right after a change', () => {
  const [a, b, c, d, e] = HOSTS.slice(0, 5) as [HostName, HostName, HostName, HostName, HostName]
  const versions = [HOSTS.slice(0, 5), [a, b, c, d], [a, b, c]]
  const [first, second, third] = versions.map((members, index) => ({ version: index + 1, members }))
  if (first === undefined || second === undefined || third === undefined) throw new Error('three')
  const startedMs = times.promiseMs
  const started = startPeer(first, 0, times)
  // b and c know the second membership when a, d and e, a majority of the first, grant.
  const early = adopt(started, second, startedMs, times)
  expect(isMajority(first, new Set([a, d, e]))).toBe(true)
  expect(answer(started, 'grant', SUBJECT, 1, startedMs, times).yes).toBe(true)
  // Then d knows it, too, so the third may be made. b and c are a majority there.
  expect(mayFollow(second, new Set([b, c, d]), third)).toBe(true)
  expect(isMajority(third, new Set([b, c]))).toBe(true)
  const late = adopt(early, third, startedMs + 1, times)
  const consent = (ms: number) => answer(late, 'consent', SUBJECT, 3, ms, times).yes
  expect(consent(startedMs + times.promiseMs)).toBe(false)
  expect(consent(startedMs + 1 + times.promiseMs)).toBe(true)
})

it('needs members that consent to nothing right after a start, however long they waited', () => {
  const startedAt: typeof startPeer = (membership, _nowMs, given, startedAtMs = 0) =>
    startPeer(membership, startedAtMs, given)
  const [a, b, c, d, e] = HOSTS.slice(0, 5) as [HostName, HostName, HostName, HostName, HostName]
  const versions = [
    [a, b, c],
    [a, b, c, d],
    [a, b, c, d, e],
  ]
  const [first, second, third] = versions.map((members, index) => ({ version: index + 1, members }))
  if (first === undefined || second === undefined || third === undefined) throw new Error('three')
  // c and d have acknowledged the second membership and are switched on again at 0. Then a and b,
  // a majority of the first, grant; b acknowledges the second, and the third is made.
  const grantedMs = times.promiseMs / 2
  expect(isMajority(first, new Set([a, b]))).toBe(true)
  expect(mayFollow(second, new Set([b, c, d]), third)).toBe(true)
  // c, d and e hear of it: a majority of the third.
  expect(isMajority(third, new Set([c, d, e]))).toBe(true)
  const consents = (start: typeof startPeer, atMs: number) =>
    answer(start(third, grantedMs + 1, times, 0), 'consent', SUBJECT, 3, atMs, times).yes
  expect(consents(startedAt, times.promiseMs)).toBe(true)
  expect(consents(startPeer, times.promiseMs)).toBe(false)
  expect(consents(startPeer, grantedMs + times.promiseMs)).toBe(false)
  expect(consents(startPeer, grantedMs + 1 + times.promiseMs)).toBe(true)
})
