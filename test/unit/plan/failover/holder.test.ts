/** Until when a host may run what others may start again. */
import { expect, it } from 'vitest'
import {
  granted,
  mayRun,
  NO_PERMISSION,
  permittedUntilMs,
} from '../../../../src/plan/failover/holder.ts'
import { beginRound, counted } from '../../../../src/plan/failover/round.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../../../src/plan/failover/times.ts'
import { hostName } from '../../../kit/records.ts'

const MEMBERS = ['a', 'b', 'c'].map(hostName)
const times = failoverTimes(FAILOVER_SETTINGS)
/** A round that so many said yes to. */
const round = (askedAtMs: number, count = 2) =>
  MEMBERS.slice(0, count).reduce(
    (all, by) => counted(all, { round: `${askedAtMs}`, by, version: 1, yes: true }),
    beginRound(`${askedAtMs}`, { version: 1, members: MEMBERS }, askedAtMs),
  )
const first = granted(NO_PERMISSION, round(1_000), 1_900, times)

it('may run nothing before a grant', () => {
  expect(mayRun(NO_PERMISSION, 0, times)).toBe(false)
  expect(granted(NO_PERMISSION, round(1_000, 1), 1_000, times)).toBe(NO_PERMISSION)
})

it('may run from when it asked, not from when it was answered', () => {
  expect(permittedUntilMs(first, times)).toBe(1_000 + times.permissionMs)
  expect(mayRun(first, 999 + times.permissionMs, times)).toBe(true)
  expect(mayRun(first, 1_000 + times.permissionMs, times)).toBe(false)
})

it('goes on in the same term while it has permission', () => {
  const next = granted(first, round(5_000), 5_100, times)
  expect(next).toEqual({ term: first.term, grantedAtMs: 5_000 })
})

it('begins a new term when the permission had ended', () => {
  const endMs = 1_000 + times.permissionMs
  expect(granted(first, round(endMs - 1), endMs, times).term).toBe(first.term + 1)
})

it('is not taken back by an older grant, and not extended by a late one', () => {
  const next = granted(first, round(1_500), 1_600, times)
  expect(granted(next, round(1_000), 1_700, times)).toBe(next)
  expect(granted(first, round(1_500), 1_501 + times.replyMs, times)).toBe(first)
})
