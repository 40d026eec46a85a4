import { describe, expect, it } from 'vitest'
import { problemOfLever, SCHEDULE_TAG } from '../../../src/model/lever.ts'
import { edgesAround, parseSchedule } from '../../../src/model/schedule.ts'

function parsed(text: string) {
  const schedule = parseSchedule(text)
  if (typeof schedule === 'string') throw new Error(schedule)
  return schedule
}

/** The edges of a time span, in order: `start 2026-11-30T07:00Z`. */
function edges(text: string, from: string, to: string): readonly string[] {
  const schedule = parsed(text)
  const found: string[] = []
  for (let at = Date.parse(from); ; ) {
    const { next } = edgesAround(schedule, at)
    if (next === null || next.atMs > Date.parse(to)) return found
    found.push(`${next.kind} ${new Date(next.atMs).toISOString().slice(0, 16)}Z`)
    at = next.atMs
  }
}

// 2026-11-30 is a Monday.
const MONDAY = '2026-11-30T00:00Z'
const TUESDAY = '2026-12-01T00:00Z'

describe('a schedule', () => {
  it.each([
    ['mon-fri 08:00-18:00 Europe/Berlin', 'start 2026-11-30T07:00Z', 'stop 2026-11-30T17:00Z'],
    ['MON-Fri 08:00-18:00 europe/berlin', 'start 2026-11-30T07:00Z', 'stop 2026-11-30T17:00Z'],
    ['mon 08:00-18:00 UTC', 'start 2026-11-30T08:00Z', 'stop 2026-11-30T18:00Z'],
    ['mon 09:00-17:00 America/New_York', 'start 2026-11-30T14:00Z', 'stop 2026-11-30T22:00Z'],
    ['mon-fri 09:30-18:30 Asia/Kolkata', 'start 2026-11-30T04:00Z', 'stop 2026-11-30T13:00Z'],
    ['mon,wed 08:00-18:00 UTC', 'start 2026-11-30T08:00Z', 'stop 2026-11-30T18:00Z'],
    ['mon 08:00- UTC', 'start 2026-11-30T08:00Z'],
    ['mon-sun -19:00 UTC', 'stop 2026-11-30T19:00Z'],
    ['tue 08:00-18:00 UTC'],
    ['sat-sun 08:00-18:00 UTC'],
    ['fri-mon 08:00-18:00 UTC', 'start 2026-11-30T08:00Z', 'stop 2026-11-30T18:00Z'],
    ['sun 22:00-06:00 UTC', 'stop 2026-11-30T06:00Z'],
    ['mon 00:30-24:00 UTC', 'start 2026-11-30T00:30Z', 'stop 2026-12-01T00:00Z'],
    ['mon 12:00-24:00 UTC', 'start 2026-11-30T12:00Z', 'stop 2026-12-01T00:00Z'],
    [
      'mon 08:00-10:00; mon 12:00-14:00 UTC',
      ...['start 2026-11-30T08:00Z', 'stop 2026-11-30T10:00Z'],
      ...['start 2026-11-30T12:00Z', 'stop 2026-11-30T14:00Z'],
    ],
    // They overlap, or touch.
    ['mon 08:00-12:00;mon 10:00-14:00 UTC', 'start 2026-11-30T08:00Z', 'stop 2026-11-30T14:00Z'],
    ['mon 08:00-12:00; mon 12:00-14:00 UTC', 'start 2026-11-30T08:00Z', 'stop 2026-11-30T14:00Z'],
    ['sun-tue 00:00-24:00 UTC'],
    ['mon-sun 00:00-24:00 UTC'],
    ['mon-sun 08:00-07:59 UTC', 'stop 2026-11-30T07:59Z', 'start 2026-11-30T08:00Z'],
  ])('%s has these edges on a Monday: %s %s', (text, ...expected) => {
    expect(edges(text, '2026-11-29T23:59:59Z', TUESDAY)).toEqual(expected)
  })

  it.each([
    // The clock is put forward at 02:00 (01:00Z) on 2026-03-29, and back at 03:00 on 2026-10-25.
    [
      'sun 08:00-18:00 Europe/Berlin',
      '2026-03-29',
      'start 2026-03-29T06:00Z',
      'stop 2026-03-29T16:00Z',
    ],
    [
      'sat 08:00-18:00 Europe/Berlin',
      '2026-03-28',
      'start 2026-03-28T07:00Z',
      'stop 2026-03-28T17:00Z',
    ],
    [
      'sat 22:00-06:00 Europe/Berlin',
      '2026-03-28',
      'start 2026-03-28T21:00Z',
      'stop 2026-03-29T04:00Z',
    ],
    // A time that does not occur is an hour later.
    [
      'sun 02:30-12:00 Europe/Berlin',
      '2026-03-29',
      'start 2026-03-29T01:30Z',
      'stop 2026-03-29T10:00Z',
    ],
    [
      'sun 02:15-02:45 Europe/Berlin',
      '2026-03-29',
      'start 2026-03-29T01:15Z',
      'stop 2026-03-29T01:45Z',
    ],
    // It would end before it begins: it only stops.
    ['sun 02:30-03:15 Europe/Berlin', '2026-03-29', 'stop 2026-03-29T01:15Z'],
    // A time that occurs twice is the first.
    [
      'sun 02:30-12:00 Europe/Berlin',
      '2026-10-25',
      'start 2026-10-25T00:30Z',
      'stop 2026-10-25T11:00Z',
    ],
    [
      'sun 01:30-02:30 Europe/Berlin',
      '2026-10-25',
      'start 2026-10-24T23:30Z',
      'stop 2026-10-25T00:30Z',
    ],
    [
      'sat 22:00-06:00 Europe/Berlin',
      '2026-10-24',
      'start 2026-10-24T20:00Z',
      'stop 2026-10-25T05:00Z',
    ],
    [
      'sun 09:00-17:00 America/New_York',
      '2026-03-08',
      'start 2026-03-08T13:00Z',
      'stop 2026-03-08T21:00Z',
    ],
    // South of the equator it is the other way round, and on Lord Howe it is half an hour.
    [
      'sun 09:00-17:00 Australia/Sydney',
      '2026-10-03',
      'start 2026-10-03T22:00Z',
      'stop 2026-10-04T06:00Z',
    ],
    [
      'sun 02:15-09:00 Australia/Lord_Howe',
      '2026-10-03',
      'start 2026-10-03T15:45Z',
      'stop 2026-10-03T22:00Z',
    ],
  ])('%s on %s, when the clock is changed: %s %s', (text, day, ...expected) => {
    const from = Date.parse(`${day}T00:00Z`) - 4 * 3_600_000
    const to = from + 36 * 3_600_000
    expect(edges(text, new Date(from).toISOString(), new Date(to).toISOString())).toEqual(expected)
  })

  it('knows the last edge, which may be a week ago, and the next', () => {
    const schedule = parsed('mon 08:00-18:00 Europe/Berlin')
    const at = (time: string) => edgesAround(schedule, Date.parse(time))
    expect(at('2026-11-30T06:59:59.999Z')).toEqual({
      last: { kind: 'stop', atMs: Date.parse('2026-11-23T17:00Z') },
      next: { kind: 'start', atMs: Date.parse('2026-11-30T07:00Z') },
    })
    expect(at('2026-11-30T07:00Z').last).toEqual({
      kind: 'start',
      atMs: Date.parse('2026-11-30T07:00Z'),
    })
    expect(at(MONDAY).last?.kind).toBe('stop')
  })

  it.each([
    ...['', 'UTC', 'mon-fri', 'mon-fri 08:00-18:00', '08:00-18:00 UTC', 'mon-fri UTC'],
    ...['mon-fri 8:00-18:00 UTC', 'mon-fri 08:00-18:00 ', ' mon-fri 08:00-18:00 UTC'],
    ...['mon-fri 08:00 - 18:00 UTC', 'mon - fri 08:00-18:00 UTC', 'mon-fri  08:00-18:00 UTC'],
    ...['mon-fri 08-18 UTC', 'mon-fri 08:00-18:60 UTC', 'mon-fri 24:00-08:00 UTC', 'mon - UTC'],
    ...['mon-fri 08:00-24:01 UTC', 'mon-fri 25:00-08:00 UTC', 'mon-fri 08:00-08:00 UTC'],
    ...['mon-fri 08:00-18:00 Europe/Berlln', 'mon-fri 08:00-18:00 +02:00', 'mon 08:00-18:00 PST'],
    ...['mon-fri 08:00-18:00 MEZ', 'mon-fri 08:00-18:00 Z', 'mon-fri 08:00-18:00 local', 'mon -'],
    ...['monday-friday 08:00-18:00 UTC', 'mo-fr 08:00-18:00 UTC', 'weekdays 08:00-18:00 UTC'],
    ...['mon-wed-fri 08:00-18:00 UTC', 'mon,,fri 08:00-18:00 UTC', 'mon, fri 08:00-18:00 UTC'],
    ...['-fri 08:00-18:00 UTC', '1-5 08:00-18:00 UTC', 'mon-fri 8am-6pm UTC', '0 8 * * 1-5 UTC'],
    ...['off=(M-F,19);tz=pt', 'mon-fri 08:00-18:00;; UTC', 'mon 08:00-18:00;  tue -9:00 UTC'],
    ...[
      'mon-fri \u0660\u0668:00-18:00 UTC',
      'mon-fri 08:00\u201318:00 UTC',
      'mon-fri 08:00-18:00\tUTC',
    ],
    ...[`${'mon 08:00-; '.repeat(7)}mon 09:00- UTC`, 'mon 08:00-18:00 ../../etc/passwd'],
  ])('%j is refused with the tag, the value and examples', (text) => {
    const problem = problemOfLever(SCHEDULE_TAG, text)
    expect(problem).toContain(`'${text}'`)
    expect(problem).toContain(`'${SCHEDULE_TAG}'`)
    expect(problem).toContain("'mon-fri 08:00-18:00 Europe/Berlin'")
  })

  it('accepts the examples of the refusal', () => {
    const problem = problemOfLever(SCHEDULE_TAG, 'x') ?? ''
    const examples = [...problem.slice(problem.indexOf('Accepted')).matchAll(/'([^']+)'/g)]
    expect(examples).toHaveLength(4)
    for (const [, example = ''] of examples)
      expect(problemOfLever(SCHEDULE_TAG, example)).toBeNull()
  })

  it('has alternating edges in every week of a year, in zones of all kinds', () => {
    for (const zone of ['Europe/Berlin', 'Pacific/Chatham']) {
      const found = edges(`mon-fri 08:00-18:00 ${zone}`, '2026-01-01T00:00Z', '2027-01-01T00:00Z')
      expect(found.length).toBeGreaterThan(518)
      for (const [at, edge] of found.entries())
        expect(
          edge.startsWith(found[0]?.startsWith('start') === (at % 2 === 0) ? 'start' : 'stop'),
        ).toBe(true)
    }
  })
})
