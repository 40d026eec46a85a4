/** When a host reboots an instance that does not answer any more. */
import { describe, expect, it } from 'vitest'
import { applyHang, REBOOTS_PER_DAY } from '../../../src/model/hang.ts'
import type { InstanceCheck } from '../../../src/model/instance-check.ts'
import type { Instance } from '../../../src/model/records.ts'
import { KEEP } from '../../../src/model/recovery.ts'
import { hostName, instanceId, instanceRecord } from '../../kit/records.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const AFTER_MS = 5 * MINUTE_MS
const BEGAN_MS = Date.parse('2026-11-22T08:00:00.000Z')
const at = (ms: number) => new Date(BEGAN_MS + ms).toISOString()
const failed: InstanceCheck = { bootCount: 2, result: 'failed', since: at(0), answered: true }
const hung: Instance = {
  ...instanceRecord(instanceId(1), hostName('here')),
  ...{ state: 'running', bootCount: 2, bootSeen: 2, check: failed },
  recovery: { ...KEEP, wanted: 'recover' },
}

/** What becomes of it when it has hung for so long, at that time. */
function outcome(forMs: number, nowMs = forMs, changes: Partial<Instance> = {}, bootCount = 2) {
  const fact = { kind: 'hung', instance: hung.id, bootCount, forMs, afterMs: AFTER_MS } as const
  return applyHang({ ...hung, ...changes }, fact, at(nowMs))
}
const announced = (ms: number) => ({ check: { ...failed, rebootAt: at(ms) } })

describe('an instance that hangs', () => {
  it('is announced to be rebooted, and is rebooted then', () => {
    expect(outcome(0)).toEqual(announced(AFTER_MS))
    expect(outcome(AFTER_MS - 1, AFTER_MS - 1, announced(AFTER_MS))).toBeNull()
    expect(outcome(AFTER_MS, AFTER_MS, announced(AFTER_MS))).toEqual({
      ...{ bootCount: 3, rebooted: [at(AFTER_MS)], check: failed },
    })
  })

  it('is announced a minute before if nobody could write it down earlier', () => {
    const late = AFTER_MS + MINUTE_MS
    expect(outcome(late)).toEqual(announced(late + MINUTE_MS))
    expect(outcome(late + 59_999, late + 59_999, announced(late + MINUTE_MS))).toBeNull()
    expect(outcome(late + MINUTE_MS, late + MINUTE_MS, announced(late + MINUTE_MS))).not.toBeNull()
  })

  it('keeps to its announcement where the wait is shorter than the notice', () => {
    const fact = { kind: 'hung', instance: hung.id, bootCount: 2, forMs: 0, afterMs: 10 } as const
    const told = announced(MINUTE_MS)
    expect(applyHang(hung, fact, at(0))).toEqual(told)
    expect(applyHang({ ...hung, ...told }, { ...fact, forMs: 99 }, at(99))).toBeNull()
    expect(applyHang({ ...hung, ...told }, { ...fact, forMs: 99 }, at(MINUTE_MS))).not.toBeNull()
  })

  it('waits twice as long after each, and is rebooted three times in a day at most', () => {
    const times: string[] = []
    for (const waitMs of [AFTER_MS, 2 * AFTER_MS, 4 * AFTER_MS]) {
      const rebooted = [...times]
      expect(outcome(0, 0, { rebooted })).toEqual(announced(waitMs))
      const due = { rebooted, ...announced(waitMs) }
      expect(outcome(waitMs - 1, waitMs, due)).toBeNull()
      times.push(at(waitMs))
      expect(outcome(waitMs, waitMs, due)).toMatchObject({ rebooted: times })
    }
    expect(times).toHaveLength(REBOOTS_PER_DAY)
    const most = { rebooted: times }
    expect(outcome(DAY_MS / 2, DAY_MS / 2, { ...most, ...announced(0) })).toBeNull()
    expect(outcome(0, 0, most)).toBeNull()
    // Those of the day before do not count.
    const later = DAY_MS + 4 * AFTER_MS
    expect(outcome(0, later, most)).toEqual(announced(later + AFTER_MS))
  })

  it('is not rebooted earlier, or never again, because the clock was set', () => {
    expect(outcome(MINUTE_MS, 10 * DAY_MS, announced(AFTER_MS))).toBeNull()
    // Set back: it is announced anew.
    expect(outcome(MINUTE_MS, -DAY_MS, announced(AFTER_MS))).toEqual(
      announced(-DAY_MS + AFTER_MS - MINUTE_MS),
    )
    expect(outcome(0, -10 * DAY_MS, { rebooted: [at(0), at(1), at(2)] })).toEqual(
      announced(-10 * DAY_MS + AFTER_MS),
    )
  })
})

describe('nothing is done to an instance', () => {
  const { answered: _, ...unheard } = failed
  it.each<[string, Partial<Instance>]>([
    ['that is kept', { recovery: KEEP }],
    ['of which nobody has said anything', { recovery: undefined as never }],
    ['whose owner wants that no more', { recovery: { ...KEEP, acknowledged: 'recover' } }],
    ['that was never asked', { check: undefined as never }],
    ['that has never answered in this boot', { check: unheard }],
    ['that answers', { check: { ...failed, result: 'passed' } }],
    ['that could not be asked', { check: { ...failed, result: 'unknown' } }],
    ['that failed in another boot', { check: { ...failed, bootCount: 1 } }],
    ['that boots', { bootSeen: 1 }],
    ['that was rebooted meanwhile', { bootCount: 3 }],
    ['that starts', { state: 'pending' }],
    ['that is to stop', { wanted: 'stop' }],
    ['that stops', { state: 'stopping', wanted: 'stop' }],
    ['that is to end', { wanted: 'terminate' }],
  ])('%s', (_what, changes) => {
    expect(outcome(0, 0, changes)).toBeNull()
    const check = changes.check === undefined ? hung.check : changes.check
    const told = check === undefined ? {} : { check: { ...check, rebootAt: at(0) } }
    const lacks = 'check' in changes && changes.check === undefined
    expect(outcome(DAY_MS, DAY_MS, { ...told, ...changes, ...(lacks ? {} : told) })).toBeNull()
  })

  it('because of what an earlier boot did', () => {
    expect(outcome(0, 0, {}, 1)).toBeNull()
  })
})
