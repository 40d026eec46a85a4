/** How results of drills are put together, and written into the manual. Nothing runs here. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { drills } from '../../tools/drills/all.ts'
import type { DrillRow } from '../../tools/drills/drill.ts'
import { writtenInto } from '../../tools/drills/report.ts'
import { worstOf } from '../../tools/drills/worst.ts'

const PAGE = resolve(import.meta.dirname, '../../docs/what-happens-when.md')
const nothing = { sent: 100, lost: 0, longestMs: 0 }
const none = { packets: nothing, dns: nothing, dhcp: nothing }
const good: DrillRow = {
  name: 'store-cut',
  rounds: 1,
  ...{ others: none, own: none, readGapMs: 200, writeGapMs: 300, knownMs: null, convergedMs: 1000 },
  figures: [{ label: 'until it answers', value: 13_000, unit: 'ms', limit: 19_000 }],
  ...{ differences: [], missed: [], notes: [] },
  machine: { load: 3, lostBefore: 0, seconds: 60 },
}
const bad: DrillRow = {
  ...good,
  others: { ...none, dns: { sent: 100, lost: 7, longestMs: 900 } },
  ...{ writeGapMs: 5000, convergedMs: null, knownMs: 4000 },
  figures: [{ label: 'until it answers', value: 20_000, unit: 'ms', limit: 19_000 }],
  ...{ differences: ['a container too many'], missed: ['until it answers'] },
  machine: { load: 9, lostBefore: 1, seconds: 70 },
}

it.each([[[good, bad, good]], [[bad, good, good]], [[good, good, bad]]])(
  'says the worst of several rounds, whichever it was',
  (rows) => {
    const worst = worstOf(rows)
    const at = `round ${rows.indexOf(bad) + 1}`
    expect(worst).toMatchObject({
      rounds: 3,
      others: { packets: { sent: 300, lost: 0 }, dns: { sent: 300, lost: 7, longestMs: 900 } },
      ...{ readGapMs: 200, writeGapMs: 5000, knownMs: 4000, convergedMs: null },
      figures: [{ label: 'until it answers', value: 20_000 }],
      differences: [`${at}: a container too many`],
      missed: [`${at}: until it answers`],
      machine: { load: 9, lostBefore: 1, seconds: 190 },
    })
  },
)

it('writes new results into the manual, and keeps those of other drills', () => {
  const page = readFileSync(PAGE, 'utf8')
  const once = writtenInto(page, drills, [worstOf([good, bad])], '2031-02-03')
  expect(once).toContain('the worst of 2 rounds, 2031-02-03, load 9')
  const lines = (text: string) => text.split('\n').filter((line) => !line.includes('store-cut'))
  const measured = (text: string) => lines(text).filter((line) => line.includes('*Measured:*'))
  expect(measured(once)).toEqual(measured(page))
  expect(measured(page).length).toBeGreaterThan(10)
  // Written again, all of it stays.
  expect(writtenInto(once, drills, [], '2031-02-04')).toBe(once)
})
