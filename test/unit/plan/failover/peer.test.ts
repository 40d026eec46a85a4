/** What a member says yes to. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  adopt,
  answer,
  type Peer,
  type Question,
  startPeer,
} from '../../../../src/plan/failover/peer.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../../../src/plan/failover/times.ts'
import { hostName } from '../../../kit/records.ts'

const MEMBERS = ['a', 'b', 'c'].map(hostName)
const [A = hostName('a'), B = hostName('b')] = MEMBERS
const times = failoverTimes(FAILOVER_SETTINGS)
const { promiseMs } = times
const membership = { version: 4, members: MEMBERS }
const started = startPeer(membership, 0, times)

/** Asks one question after the other, from when the member may say yes on. */
function asked(peer: Peer, ...questions: readonly (readonly [Question, typeof A, number])[]) {
  let now = peer
  return questions.map(([question, about, ms]) => {
    const said = answer(now, question, about, now.membership.version, promiseMs + ms, times)
    now = said.peer
    return said.yes
  })
}

it('says no to everything after a start, as long as a promise lasts', () => {
  expect(asked(started, ['grant', A, -1], ['consent', B, -1], ['grant', A, 0])).toEqual([
    ...[false, false, true],
  ])
})

it('grants when promises of before its start are over, and consents when those to others are', () => {
  // It heard of the members a whole promise after its start, and a bit.
  const late = startPeer(membership, promiseMs + 3, times, 0)
  expect(asked(late, ['grant', A, -1], ['grant', A, 0], ['consent', B, 3])).toEqual([
    ...[false, true, false],
  ])
  expect(asked(late, ['consent', B, promiseMs + 2], ['consent', B, promiseMs + 3])).toEqual([
    ...[false, true],
  ])
})

it('goes on granting, and then consents to nothing for a while', () => {
  const said = asked(started, ['grant', A, 0], ['grant', A, 500], ['consent', A, promiseMs + 499])
  expect(said).toEqual([true, true, false])
  expect(asked(started, ['grant', A, 0], ['consent', A, promiseMs])).toEqual([true, true])
})

it('grants nothing for a while after it has consented', () => {
  const said = asked(
    started,
    ['consent', A, 0],
    ['grant', A, promiseMs - 1],
    ['grant', A, promiseMs],
  )
  expect(said).toEqual([true, false, true])
})

it('keeps hosts apart', () => {
  expect(asked(started, ['grant', A, 0], ['consent', B, 0])).toEqual([true, true])
})

it('says no to strangers, and to whoever knows other members', () => {
  expect(asked(started, ['grant', hostName('stranger'), 0])).toEqual([false])
  for (const version of [3, 5])
    expect(answer(started, 'grant', A, version, promiseMs, times).yes).toBe(false)
})

it('grants with new members at once, and consents when promises of the old ones are over', () => {
  const newer = adopt(started, { version: 5, members: [A, B] }, promiseMs, times)
  expect(asked(newer, ['grant', A, 0], ['consent', B, promiseMs - 1])).toEqual([true, false])
  expect(asked(newer, ['consent', B, promiseMs])).toEqual([true])
  expect(adopt(newer, membership, promiseMs, times)).toBe(newer)
})

it('never says yes to both within the time of a promise', () => {
  const question = fc.tuple(
    fc.constantFrom<Question>('grant', 'consent'),
    fc.integer({ min: 0, max: promiseMs }),
  )
  fc.assert(
    fc.property(fc.array(question), (questions) => {
      let ms = 0
      const timed = questions.map(([kind, waitMs]) => {
        ms += waitMs
        return [kind, A, ms] as const
      })
      const said = timed.filter((_, index) => asked(started, ...timed)[index])
      for (const [index, [kind, , atMs]] of said.entries()) {
        const [before, , beforeMs] = said[index - 1] ?? [kind, A, 0]
        expect(before === kind || atMs - beforeMs >= promiseMs).toBe(true)
      }
    }),
  )
})
