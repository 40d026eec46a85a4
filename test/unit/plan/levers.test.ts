import { describe, expect, it } from 'vitest'
import { INSTANCE_OPTIONS } from '../../../src/model/instance-options.ts'
import { type Lever, SCHEDULE_TAG, TTL_TAG } from '../../../src/model/lever.ts'
import type { Instance } from '../../../src/model/records.ts'
import { edgesAround, parseSchedule } from '../../../src/model/schedule.ts'
import { changeOf, type LeverValue, nextStep } from '../../../src/plan/levers.ts'
import { hostName, instanceId, instanceRecord } from '../../kit/records.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const SET = Date.parse('2026-11-30T08:00:00Z')
const NOTICE = 10 * MINUTE
const id = instanceId(1)

function instance(change: Partial<Instance> = {}): Instance {
  const launched = {
    ...instanceRecord(id, hostName('here')),
    state: 'running',
    bootSeen: 1,
  } as const
  return { ...launched, launchedAt: new Date(SET).toISOString(), ...change }
}

const stopped = { state: 'stopped', wanted: 'stop' } as const
const keptRunning = { options: { ...INSTANCE_OPTIONS, disableApiStop: true } }
const keptAlive = { options: { ...INSTANCE_OPTIONS, disableApiTermination: true } }

const EIGHT_HOURS: LeverValue = { tag: TTL_TAG, ttl: { durationMs: 8 * HOUR } }
const DUE = SET + 8 * HOUR
const ttl = (strike: Lever['strike'] = null): Lever => ({
  ...{ instance: id, tag: TTL_TAG, fromMs: SET, strike },
})
const announced = { kind: 'terminate', dueMs: DUE, notBeforeMs: DUE } as const

const step = (value: LeverValue, lever: Lever | undefined, nowMs: number, one = instance()) =>
  nextStep({ instance: one, value, lever, nowMs, noticeMs: NOTICE })

describe('a time to live', () => {
  it.each([
    [
      'counts from the first look without a record',
      undefined,
      SET,
      { kind: 'record', lever: ttl() },
    ],
    ['waits until it must be announced', ttl(), SET, { kind: 'wait', untilMs: DUE - NOTICE }],
    ['is announced', ttl(), DUE - NOTICE, { kind: 'record', lever: ttl(announced) }],
    [
      'is announced a little late',
      ttl(),
      DUE - 9.5 * MINUTE,
      { kind: 'record', lever: ttl(announced) },
    ],
    [
      'has a notice of its own when it is announced too late',
      ttl(),
      DUE - MINUTE,
      { kind: 'record', lever: ttl({ ...announced, notBeforeMs: DUE + 9 * MINUTE }) },
    ],
    [
      'has one long after the deadline, too',
      ttl(),
      DUE + 100 * HOUR,
      { kind: 'record', lever: ttl({ ...announced, notBeforeMs: DUE + 100 * HOUR + NOTICE }) },
    ],
    ['waits for what is announced', ttl(announced), DUE - 1, { kind: 'wait', untilMs: DUE }],
    ['ends', ttl(announced), DUE, { kind: 'act', act: 'terminate', lever: ttl(announced) }],
    [
      'ends later',
      ttl(announced),
      DUE + HOUR,
      { kind: 'act', act: 'terminate', lever: ttl(announced) },
    ],
    [
      'waits with a clock that was set back',
      ttl(announced),
      SET - HOUR,
      { kind: 'wait', untilMs: DUE - NOTICE },
    ],
    [
      'begins anew with a record that is far ahead of the clock',
      ttl(announced),
      SET - 2 * HOUR,
      { kind: 'record', lever: { ...ttl(), fromMs: SET - 2 * HOUR } },
    ],
  ])('%s', (_what, lever, nowMs, expected) => {
    expect(step(EIGHT_HOURS, lever, nowMs)).toEqual(expected)
  })

  it('that is shorter than the notice ends when it says', () => {
    const value: LeverValue = { tag: TTL_TAG, ttl: { durationMs: 2 * MINUTE } }
    const strike = {
      kind: 'terminate',
      dueMs: SET + 2 * MINUTE,
      notBeforeMs: SET + 2 * MINUTE,
    } as const
    expect(step(value, ttl(), SET)).toEqual({ kind: 'record', lever: ttl(strike) })
    expect(step(value, ttl(strike), SET + 2 * MINUTE).kind).toBe('act')
  })

  it.each([
    ['termination protection', keptAlive],
    ['stop protection', keptRunning],
  ])('ends nothing with %s, and has a new notice when that is taken off', (_which, kept) => {
    const isKept = ttl({ ...announced, notBeforeMs: null })
    expect(step(EIGHT_HOURS, ttl(), DUE - NOTICE, instance(kept))).toEqual({
      kind: 'record',
      lever: isKept,
    })
    expect(step(EIGHT_HOURS, ttl(announced), DUE, instance(kept))).toEqual({
      kind: 'record',
      lever: isKept,
    })
    expect(step(EIGHT_HOURS, isKept, DUE + HOUR, instance(kept))).toEqual({
      kind: 'wait',
      untilMs: null,
    })
    expect(step(EIGHT_HOURS, isKept, DUE + HOUR)).toEqual({
      kind: 'record',
      lever: ttl({ ...announced, notBeforeMs: DUE + HOUR + NOTICE }),
    })
  })

  it.each(['shutting-down', 'terminated'] as const)('does nothing to what is %s', (state) => {
    const one = instance({ state, wanted: 'terminate' })
    for (const lever of [undefined, ttl(), ttl(announced)])
      expect(step(EIGHT_HOURS, lever, DUE, one)).toEqual({ kind: 'wait', untilMs: null })
  })

  it('ends what is stopped or never ran', () => {
    for (const one of [instance(stopped), instance({ state: 'pending', bootSeen: 0 })])
      expect(step(EIGHT_HOURS, ttl(announced), DUE, one).kind).toBe('act')
  })
})

describe('a schedule', () => {
  const START = Date.parse('2026-12-01T07:00:00Z')
  const STOP = Date.parse('2026-11-30T17:00:00Z')
  const schedule = parseSchedule('mon-fri 08:00-18:00 Europe/Berlin')
  if (typeof schedule === 'string') throw new Error(schedule)
  const at = (nowMs: number): LeverValue => ({
    tag: SCHEDULE_TAG,
    edges: edgesAround(schedule, nowMs),
  })
  const lever = (fromMs = SET, strike: Lever['strike'] = null): Lever => ({
    ...{ instance: id, tag: SCHEDULE_TAG, fromMs, strike },
  })
  const strike = { kind: 'stop', dueMs: STOP, notBeforeMs: STOP } as const
  const look = (known: Lever | undefined, nowMs: number, one = instance()) =>
    step(at(nowMs), known, nowMs, one)

  it.each([
    [
      'waits until a stop must be announced',
      lever(),
      SET,
      { kind: 'wait', untilMs: STOP - NOTICE },
    ],
    ['announces it', lever(), STOP - NOTICE, { kind: 'record', lever: lever(SET, strike) }],
    ['waits for it', lever(SET, strike), STOP - MINUTE, { kind: 'wait', untilMs: STOP }],
    ['stops', lever(SET, strike), STOP, { kind: 'act', act: 'stop', lever: lever(STOP) }],
    ['has stopped once', lever(STOP), STOP + HOUR, { kind: 'wait', untilMs: START }],
    [
      'announces a stop that was missed before it happens',
      lever(),
      STOP + HOUR,
      { kind: 'record', lever: lever(SET, { ...strike, notBeforeMs: STOP + HOUR + NOTICE }) },
    ],
    [
      'does not stop in the morning what should have been stopped in the evening',
      lever(SET, { ...strike, notBeforeMs: START + MINUTE }),
      START,
      { kind: 'record', lever: lever(START) },
    ],
    [
      'does not act at once when it is set outside of its times',
      lever(STOP + HOUR),
      STOP + HOUR,
      { kind: 'wait', untilMs: START },
    ],
    ['leaves what runs at its start', lever(STOP), START, { kind: 'record', lever: lever(START) }],
    [
      'begins anew with a record that is far ahead of the clock',
      lever(START),
      SET,
      { kind: 'record', lever: lever(SET) },
    ],
  ])('%s', (_what, known, nowMs, expected) => {
    expect(look(known, nowMs)).toEqual(expected)
  })

  it.each([
    [
      'starts what is stopped',
      lever(STOP),
      START,
      instance(stopped),
      { kind: 'act', act: 'start', lever: lever(START) },
    ],
    [
      'starts it later, after an outage',
      lever(STOP),
      START + HOUR,
      instance(stopped),
      { kind: 'act', act: 'start', lever: lever(START) },
    ],
    [
      'waits for what is stopping',
      lever(STOP),
      START,
      instance({ state: 'stopping', wanted: 'stop' }),
      { kind: 'wait', untilMs: null },
    ],
    [
      'announces no stop of what is stopped',
      lever(),
      STOP - NOTICE,
      instance(stopped),
      { kind: 'wait', untilMs: STOP },
    ],
    [
      'takes back the stop of what was stopped meanwhile',
      lever(SET, strike),
      STOP - MINUTE,
      instance(stopped),
      { kind: 'record', lever: lever() },
    ],
    [
      'is over a stop of what is stopped',
      lever(),
      STOP,
      instance(stopped),
      { kind: 'record', lever: lever(STOP) },
    ],
    [
      'leaves what a person started after a stop that was missed',
      lever(),
      STOP + 2 * HOUR,
      instance({ launchedAt: new Date(STOP + HOUR).toISOString() }),
      { kind: 'record', lever: lever(STOP) },
    ],
    [
      'waits for what has never run',
      lever(SET, strike),
      STOP,
      instance({ state: 'pending', bootSeen: 0 }),
      { kind: 'wait', untilMs: null },
    ],
    [
      'says that stop protection keeps it',
      lever(),
      STOP - NOTICE,
      instance(keptRunning),
      { kind: 'record', lever: lever(SET, { ...strike, notBeforeMs: null }) },
    ],
    [
      'leaves it with stop protection',
      lever(SET, strike),
      STOP,
      instance(keptRunning),
      { kind: 'record', lever: lever(STOP) },
    ],
    [
      'stops it with termination protection',
      lever(SET, strike),
      STOP,
      instance(keptAlive),
      { kind: 'act', act: 'stop', lever: lever(STOP) },
    ],
  ])('%s', (_what, known, nowMs, one, expected) => {
    expect(look(known, nowMs, one)).toEqual(expected)
  })
})

describe('what is done', () => {
  const now = '2026-11-30T17:00:00.000Z'

  it('says who did it', () => {
    expect(changeOf('stop', instance(), now)).toEqual({
      state: 'stopping',
      wanted: 'stop',
      transitionReason: 'Service initiated (2026-11-30 17:00:00 GMT)',
      stateReason: {
        code: 'Server.ScheduledStop',
        message: 'Server.ScheduledStop: stopped by its schedule (tag atoll:schedule)',
      },
    })
    expect(changeOf('terminate', instance(), now)).toMatchObject({
      wanted: 'terminate',
      stateReason: { code: 'Server.TimeToLiveEnded' },
    })
    expect(changeOf('start', instance(stopped), now)).toMatchObject({ wanted: 'run', bootCount: 2 })
  })
})
