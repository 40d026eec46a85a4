/** When a takeover may be committed, and when its instances may be started. */
import { expect, it } from 'vitest'
import { beginRound, counted } from '../../../../src/plan/failover/round.ts'
import { durableAtMs, mayCommit, mayStart } from '../../../../src/plan/failover/taker.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../../../src/plan/failover/times.ts'
import { hostName } from '../../../kit/records.ts'

const [A, B, C] = [hostName('a'), hostName('b'), hostName('c')]
const times = failoverTimes(FAILOVER_SETTINGS)

it('may be committed with the consent of a majority that is fresh', () => {
  const asked = beginRound('r', { version: 1, members: [A, B, C] }, 1_000)
  const won = [B, C].reduce(
    (round, by) => counted(round, { round: 'r', by, version: 1, yes: true }),
    asked,
  )
  const takeover = { host: A, epoch: 'e', round: won }
  expect(mayCommit(takeover, 1_500, times)).toBe(true)
  expect(mayCommit({ ...takeover, round: asked }, 1_500, times)).toBe(false)
  expect(mayCommit(takeover, 1_001 + times.replyMs, times)).toBe(false)
})

it('starts what is still its own after the commit cannot be lost any more', () => {
  const own = { host: B, run: 2, id: 'x', confirmedAtMs: 5_000 }
  const atMs = durableAtMs(own, times)
  expect(atMs).toBe(5_000 + times.durableMs)
  const found = { host: B, run: 2, id: 'x' }
  expect(mayStart(own, found, atMs, times)).toBe(true)
  expect(mayStart(own, found, atMs - 1, times)).toBe(false)
  expect(mayStart(own, null, atMs, times)).toBe(false)
  expect(mayStart(own, { ...found, host: A }, atMs, times)).toBe(false)
  // The same run, from another commit: the one before was lost.
  expect(mayStart(own, { ...found, id: 'y' }, atMs, times)).toBe(false)
})
