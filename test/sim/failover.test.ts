/**
 * Failover in simulated clouds: the instance never runs twice, and each rule is needed for that.
 */
import { expect, it } from 'vitest'
import { failoverHistory } from '../../tools/sim/failover.ts'
import { RULES, type Rules } from '../../tools/sim/failover-host.ts'
import { isLong } from '../long-files.ts'

const SEEDS = isLong ? 100_000 : 500

it('runs the instance at most once at a time, and takes it over', { timeout: 1_200_000 }, () => {
  let takeovers = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { runs, overlaps } = failoverHistory(seed)
    expect(overlaps, `seed ${seed}`).toBe(false)
    takeovers += new Set(runs.map(({ host }) => host)).size - 1
  }
  expect(takeovers).toBeGreaterThan(SEEDS / 4)
})

const { times } = RULES
/** Rules that are wrong, each with the first seed that shows it (`search`, below). */
const PLANTED: readonly (readonly [name: string, seed: number, wrong: Partial<Rules>])[] = [
  ['a promise that is too short', 7, { times: { ...times, promiseMs: times.permissionMs } }],
  [
    'a permission that counts from the answer, however late it comes',
    1124,
    {
      granted: (holder, round, nowMs, given) =>
        RULES.granted(holder, { ...round, askedAtMs: nowMs }, nowMs, given),
    },
  ],
  [
    'a member that says yes at once after a start',
    7,
    {
      startPeer: (membership, nowMs, given) =>
        RULES.startPeer(membership, nowMs - given.promiseMs, given),
    },
  ],
  [
    'consent beside a grant',
    1,
    {
      answer: (peer, question, ...rest) => {
        const promises = question === 'consent' ? new Map() : peer.promises
        return RULES.answer({ ...peer, promises }, question, ...rest)
      },
    },
  ],
  ['an epoch that nobody compares', 1963, { isSameEpoch: () => true }],
  [
    'a start before the commit is safe',
    503,
    { durableAtMs: (own) => own.confirmedAtMs, mayStart: () => true },
  ],
]

it.each(PLANTED)('%s lets it run twice', { timeout: 300_000 }, (_, seed, wrong) => {
  const search = isLong ? Array.from({ length: 3_000 }, (__, index) => index + 1) : [seed]
  const found = search.find((one) => failoverHistory(one, { ...RULES, ...wrong }).overlaps)
  expect(found).toBe(seed)
})
