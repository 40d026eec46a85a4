/**
 * The checker of histories is tested: it accepts a correct history and finds each kind of incorrect
 * one. Nothing runs here.
 */
import { expect, it } from 'vitest'
import { violations } from '../../tools/drills/consistency/check.ts'
import type {
  ChangeAsked,
  Event,
  Final,
  LaunchAsked,
  Sighting,
} from '../../tools/drills/consistency/history.ts'
import { lossesOf, newSeries } from '../../tools/drills/probe-losses.ts'

const asked = { host: 'h1', at: 0, endedAt: 1, outcome: 'ok' } as const
const launch = (changes: Partial<LaunchAsked> = {}): LaunchAsked => ({
  ...asked,
  kind: 'launch',
  token: 't',
  count: 1,
  ids: ['i-1'],
  ...changes,
})
const change = (kind: ChangeAsked['kind'], outcome: ChangeAsked['outcome'] = 'ok'): Event => ({
  ...asked,
  kind,
  outcome,
  id: 'i-1',
})
const tag = (value: string, outcome: ChangeAsked['outcome'] = 'ok'): Event => ({
  ...asked,
  kind: 'tag',
  outcome,
  id: 'i-1',
  key: 'k',
  value,
})
const key = (kind: 'create-key' | 'delete-key', outcome: ChangeAsked['outcome'] = 'ok'): Event => ({
  ...asked,
  kind,
  outcome,
  name: 'n',
})
const read = (saw: boolean, outcome: ChangeAsked['outcome'] = 'ok'): Event => ({
  ...asked,
  kind: 'read',
  outcome,
  of: 'i-1 launched at h1',
  saw,
})
const one = (state = 'running', tags: Readonly<Record<string, string>> = {}, id = 'i-1') => ({
  id,
  state,
  token: 't',
  tags,
})
const final = (...instances: Final['instances']): Final => ({ instances, keys: [] })
const none = final()

const good: readonly (readonly [string, readonly Event[], Final])[] = [
  ['a launch', [launch()], final(one())],
  ['a launch asked for twice', [launch(), launch({ outcome: 'unknown', ids: [] })], final(one())],
  ['an unanswered launch that happened', [launch({ outcome: 'unknown', ids: [] })], final(one())],
  ['an unanswered launch that did not', [launch({ outcome: 'unknown', ids: [] })], none],
  ['a look that sees it', [launch(), read(true)], final(one())],
  ['a look that is to be repeated', [launch(), read(false, 'unknown')], final(one())],
  ['a stop', [launch(), change('stop')], final(one('stopped'))],
  ['an unanswered stop', [launch(), change('stop', 'unknown')], final(one())],
  ['a refused stop', [launch(), change('stop', 'refused')], final(one())],
  ['a stop and an end', [launch(), change('stop'), change('terminate')], final(one('terminated'))],
  [
    'a tag that was set again without answer',
    [launch(), tag('1'), tag('2', 'unknown')],
    final(one('running', { k: '1' })),
  ],
  [
    'a key pair deleted without answer',
    [key('create-key'), key('delete-key', 'unknown')],
    { instances: [], keys: ['n'] },
  ],
]
it.each(good)('passes: %s', (_, history, end) => {
  expect(violations(history, end, [])).toEqual([])
})

const bad: readonly (readonly [string, readonly Event[], Final])[] = [
  ['a look that is refused', [launch(), read(false, 'refused')], final(one())],
  ['a look that does not see it', [launch(), read(false)], final(one())],
  ['an accepted launch is lost', [launch()], none],
  [
    'a token launches twice',
    [launch(), launch({ ids: ['i-2'] })],
    final(one(), one('running', {}, 'i-2')),
  ],
  [
    'an unanswered launch makes more than was asked for',
    [launch({ outcome: 'unknown', ids: [] })],
    final(one(), one('running', {}, 'i-2')),
  ],
  ['a refused launch happens', [launch({ outcome: 'refused', ids: [] })], final(one())],
  ['nobody asked for it', [], final(one())],
  ['an accepted stop is forgotten', [launch(), change('stop')], final(one())],
  ['an accepted end is forgotten', [launch(), change('terminate')], final(one())],
  ['it ends though nobody asked', [launch()], final(one('terminated'))],
  [
    'a start brings back the dead',
    [launch(), change('terminate'), change('start', 'unknown')],
    final(one()),
  ],
  ['a tag is lost', [launch(), tag('1')], final(one())],
  ['an older tag comes back', [launch(), tag('1'), tag('2')], final(one('running', { k: '1' }))],
  ['a key pair is lost', [key('create-key')], none],
  [
    'a deleted key pair is back',
    [key('create-key'), key('delete-key')],
    { instances: [], keys: ['n'] },
  ],
]
it.each(bad)('finds out: %s', (_, history, end) => {
  expect(violations(history, end, [])).not.toEqual([])
})

const seen = (host: string, instance: string, address: string): Sighting => ({
  at: 0,
  host,
  instance,
  addresses: [address],
})
it.each([
  ['an instance on two hosts', [seen('h1', 'i-1', 'a'), seen('h2', 'i-1', 'a')], 1],
  ['an address twice', [seen('h1', 'i-1', 'a'), seen('h2', 'i-2', 'a')], 1],
  ['each its own', [seen('h1', 'i-1', 'a'), seen('h2', 'i-2', 'b')], 0],
] as const)('looks at hosts: %s', (_, round, count) => {
  expect(violations([], none, [round])).toHaveLength(count)
})

it('tells losses that a fault explains from those that it does not', () => {
  const series = newSeries('packets', 'h1 to h2', ['h1', 'h2'])
  for (let at = 0; at < 100; at += 10) {
    series.sentAt.push(at)
    series.answeredAt.push(at === 30 || at === 40 || at === 80 ? Number.NaN : at + 1)
  }
  const excuse = { host: 'h2', what: 'fabric', from: 20, to: 50 } as const
  const { own, others } = lossesOf([series], 'packets', 0, [excuse])
  expect(own).toEqual({ sent: 4, lost: 2, longestMs: 30 })
  expect(others).toMatchObject({ sent: 6, lost: 1 })
  expect(lossesOf([series], 'packets', 0, [{ ...excuse, host: 'h3' }]).others.lost).toBe(3)
  expect(lossesOf([series], 'packets', 0, [{ ...excuse, what: 'services' }]).others.lost).toBe(3)
})
