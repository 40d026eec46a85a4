/** Which answers to a question count, and when it is won. */
import { expect, it } from 'vitest'
import { type Answer, beginRound, counted, isWon } from '../../../../src/plan/failover/round.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../../../src/plan/failover/times.ts'
import { hostName } from '../../../kit/records.ts'

const MEMBERS = ['a', 'b', 'c'].map(hostName)
const [A = hostName('a'), B = hostName('b')] = MEMBERS
const times = failoverTimes(FAILOVER_SETTINGS)
const round = beginRound('r1', { version: 4, members: MEMBERS }, 1_000)
const yes = (by: typeof A, changes: Partial<Answer> = {}) => ({
  ...{ round: 'r1', by, version: 4, yes: true },
  ...changes,
})
const isWonBy = (...answers: readonly Answer[]) =>
  isWon(answers.reduce(counted, round), 1_500, times)

it('is won by a majority, each member once', () => {
  expect(isWonBy(yes(A), yes(B))).toBe(true)
  expect(isWonBy(yes(A))).toBe(false)
  expect(isWonBy(yes(A), yes(A))).toBe(false)
})

it('counts no answer that says no, is to another question, or is of other members', () => {
  expect(isWonBy(yes(A), yes(B, { yes: false }))).toBe(false)
  expect(isWonBy(yes(A), yes(B, { round: 'r0' }))).toBe(false)
  expect(isWonBy(yes(A), yes(B, { version: 3 }))).toBe(false)
  expect(isWonBy(yes(A), yes(B, { version: 5 }))).toBe(false)
  expect(isWonBy(yes(A), yes(hostName('stranger')))).toBe(false)
})

it('is won no later than an answer may take, and not before it was asked', () => {
  const all = [yes(A), yes(B)].reduce(counted, round)
  expect(isWon(all, 1_000 + times.replyMs, times)).toBe(true)
  expect(isWon(all, 1_001 + times.replyMs, times)).toBe(false)
  expect(isWon(all, 999, times)).toBe(false)
})
