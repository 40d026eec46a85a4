/** Which instances of a host hang, and when it rather has a fault of its own. */
import { expect, it } from 'vitest'
import { type Asked, hungOf } from '../../../src/workloads/hangs.ts'
import { instance } from '../../../tools/kit/instance.ts'

const AFTER_MS = 300_000
const recover = { acknowledged: false, assignment: null }

/** One that was asked, changed as given. */
function asked(n: number, changes: Partial<Asked> = {}): Asked {
  const want = instance(n, { recover })
  return { want, bootCount: 1, hasAnswered: true, result: 'passed', failedMs: null, ...changes }
}
const fails = { result: 'failed', failedMs: 7 } as const
const hung = (all: readonly Asked[]) => hungOf(all, AFTER_MS).map(({ instance: id }) => id)
const [first, second] = [instance(1).id, instance(2).id]

it('is said with how long it has failed', () => {
  expect(hungOf([asked(1, fails), asked(2)], AFTER_MS)).toEqual([
    { kind: 'hung', instance: first, bootCount: 1, forMs: 7, afterMs: AFTER_MS },
  ])
})

it.each<[string, readonly Asked[], readonly string[]]>([
  ['one, alone, that has answered', [asked(1, fails)], [first]],
  ['one, alone, that never has', [asked(1, { ...fails, hasAnswered: false })], []],
  [
    'one that never has beside one that does',
    [asked(1, { ...fails, hasAnswered: false }), asked(2)],
    [first],
  ],
  ['all of two', [asked(1, fails), asked(2, fails)], []],
  ['one of two', [asked(1), asked(2, fails)], [second]],
  ['two of four', [asked(1, fails), asked(2, fails), asked(3), asked(4)], [first, second]],
  ['two of three', [asked(1, fails), asked(2, fails), asked(3)], []],
  ['one beside one that cannot be asked', [asked(1, fails), asked(2, { result: 'unknown' })], []],
  ['one beside one that boots', [asked(1, fails), asked(2, { result: null })], [first]],
  ['one that is kept', [asked(1, { ...fails, want: instance(1) }), asked(2)], []],
  [
    'one that failed, and cannot be asked now',
    [asked(1, { result: 'unknown', failedMs: 7 }), asked(2)],
    [],
  ],
])('%s', (_what, all, expected) => {
  expect(hung(all)).toEqual(expected)
})
