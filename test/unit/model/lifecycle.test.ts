import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AtollError } from '../../../src/model/errors.ts'
import type { CheckResult } from '../../../src/model/instance-check.ts'
import { INSTANCE_OPTIONS, type InstanceOptions } from '../../../src/model/instance-options.ts'
import {
  applyFact,
  type InstanceFact,
  isPurgeable,
  requestReboot,
  requestStart,
  requestStop,
  requestTerminate,
  SELF_SHUTDOWN,
  TOMBSTONE_MS,
} from '../../../src/model/lifecycle.ts'
import type { Instance, InstanceState, Wanted } from '../../../src/model/records.ts'
import { hostName, instanceId, instanceRecord } from '../../kit/records.ts'

const NOW = '2026-11-22T08:33:27.000Z'
const launched: Instance = { ...instanceRecord(instanceId(1), hostName('here')), launchedAt: NOW }
const id = launched.id

/**
 * A request on a record: the state after it, `same` when it changes nothing, or the code of the
 * refusal.
 */
function ask(
  request: (instance: Instance, now: string) => object | null,
  state: InstanceState,
): string {
  try {
    const change = request({ ...launched, state }, NOW)
    return change === null ? 'same' : 'state' in change ? String(change.state) : 'same state'
  } catch (error) {
    return error instanceof AtollError ? error.code : 'bug'
  }
}

describe('requests', () => {
  const refused = 'IncorrectInstanceState'
  it.each<[InstanceState, string, string, string, string]>([
    // state           stop        start      reboot         terminate
    ['pending', refused, 'same', 'same state', 'shutting-down'],
    ['running', 'stopping', 'same', 'same state', 'shutting-down'],
    ['stopping', 'same', refused, refused, 'shutting-down'],
    ['stopped', 'same', 'pending', refused, 'shutting-down'],
    ['shutting-down', refused, refused, refused, 'same'],
    ['terminated', refused, refused, refused, 'same'],
  ])(
    'from %s: stop %s, start %s, reboot %s, terminate %s',
    (state, stop, start, reboot, terminate) => {
      expect([
        ask(requestStop, state),
        ask(requestStart, state),
        ask(requestReboot, state),
        ask(requestTerminate, state),
      ]).toEqual([stop, start, reboot, terminate])
    },
  )
})

describe('what was said of an instance', () => {
  const running: Instance = { ...launched, state: 'running', bootSeen: 1 }
  const saying = (options: Partial<InstanceOptions>): Instance => ({
    ...running,
    options: { ...INSTANCE_OPTIONS, ...options },
  })

  it('lets it be stopped while it starts again, but not before it has run', () => {
    const again: Instance = { ...launched, state: 'pending', bootSeen: 1, bootCount: 2 }
    expect(requestStop(again, NOW)).toMatchObject({ state: 'stopping' })
    expect(() => requestStop({ ...again, bootSeen: 0 }, NOW)).toThrow(
      `Instance '${again.id}' cannot be stopped as it has never reached the 'running' state.`,
    )
  })

  it.each([
    [requestTerminate, { disableApiTermination: true }, 'terminated', 'disableApiTermination'],
    [requestTerminate, { disableApiStop: true }, 'terminated', 'disableApiStop'],
    [requestStop, { disableApiStop: true }, 'stopped', 'disableApiStop'],
  ])('protects it: %o of %j', (request, options, verb, attribute) => {
    expect(() => request(saying(options), NOW)).toThrow(
      expect.objectContaining({
        code: 'OperationNotPermitted',
        message: `The instance '${running.id}' may not be ${verb}. Modify its '${attribute}' instance attribute and try again.`,
      }),
    )
  })

  it('does not keep it from a stop when only its end is protected', () => {
    expect(requestStop(saying({ disableApiTermination: true }), NOW)).not.toBeNull()
  })

  it.each([
    ['stop', SELF_SHUTDOWN, 'stopped', 'stop'],
    ['terminate', SELF_SHUTDOWN, 'shutting-down', 'terminate'],
    ['terminate', 'Server.OutOfMemory', 'stopped', 'stop'],
  ] as const)('says what its end means: %s, by %s', (shutdownBehavior, code, state, wanted) => {
    const fact = {
      kind: 'stopped',
      instance: running.id,
      bootCount: 1,
      code,
      message: 'm',
    } as const
    expect(applyFact(saying({ shutdownBehavior }), fact, NOW)).toMatchObject({ state, wanted })
  })

  it('does not end what was asked to stop', () => {
    const stopping: Instance = { ...saying({ shutdownBehavior: 'terminate' }), wanted: 'stop' }
    const end = { bootCount: 1, code: SELF_SHUTDOWN, message: 'm' }
    const fact = { kind: 'stopped', instance: running.id, ...end } as const
    expect(applyFact(stopping, fact, NOW)).toEqual({ state: 'stopped' })
  })
})

const anyRecord: fc.Arbitrary<Instance> = fc
  .record({
    state: fc.constantFrom<InstanceState>(
      'pending',
      'running',
      'stopping',
      'stopped',
      'shutting-down',
      'terminated',
    ),
    wanted: fc.constantFrom<Wanted>('run', 'stop', 'terminate'),
    bootCount: fc.integer({ min: 1, max: 4 }),
    bootSeen: fc.integer({ min: 0, max: 4 }),
  })
  .map((fields) => ({ ...launched, ...fields }))

const anyFact: fc.Arbitrary<InstanceFact> = fc.oneof(
  fc
    .integer({ min: 1, max: 5 })
    .map((bootCount) => ({ kind: 'running' as const, instance: id, bootCount })),
  fc.integer({ min: 1, max: 5 }).map((bootCount) => ({
    kind: 'stopped' as const,
    instance: id,
    bootCount,
    code: 'c',
    message: 'm',
  })),
  fc.constant({ kind: 'gone' as const, instance: id }),
  fc.constant({ kind: 'failed' as const, instance: id, code: 'c', message: 'm' }),
)

describe('facts', () => {
  it('are safe to repeat', () => {
    fc.assert(
      fc.property(anyRecord, anyFact, (record, fact) => {
        const change = applyFact(record, fact, NOW)
        if (change !== null) expect(applyFact({ ...record, ...change }, fact, NOW)).toBeNull()
      }),
    )
  })

  it('never bring back what is being terminated, and nothing leaves terminated', () => {
    fc.assert(
      fc.property(anyRecord, fc.array(anyFact, { maxLength: 8 }), (record, facts) => {
        let now = record
        for (const fact of facts) {
          const next = { ...now, ...applyFact(now, fact, NOW) }
          if (now.wanted === 'terminate') expect(next.wanted).toBe('terminate')
          if (now.state === 'terminated') expect(next).toEqual(now)
          now = next
        }
      }),
    )
  })

  it('of an earlier boot say nothing about this one', () => {
    const restarted: Instance = { ...launched, bootCount: 3, bootSeen: 1 }
    expect(applyFact(restarted, { kind: 'running', instance: id, bootCount: 2 }, NOW)).toBeNull()
    expect(
      applyFact(
        restarted,
        { kind: 'stopped', instance: id, bootCount: 2, code: 'c', message: 'm' },
        NOW,
      ),
    ).toBeNull()
    expect(applyFact(restarted, { kind: 'running', instance: id, bootCount: 3 }, NOW)).toEqual({
      state: 'running',
      bootSeen: 3,
    })
  })

  it('of a later boot than the records have make the next request another one', () => {
    const behind: Instance = { ...launched, state: 'running', bootCount: 1, bootSeen: 1 }
    expect(applyFact(behind, { kind: 'running', instance: id, bootCount: 3 }, NOW)).toEqual({
      ...{ state: 'running', bootSeen: 3, bootCount: 3 },
    })
    const ended = { kind: 'stopped', instance: id, bootCount: 3, code: 'c', message: 'm' } as const
    const stopping: Instance = { ...behind, wanted: 'stop', state: 'stopped' }
    expect(applyFact(stopping, ended, NOW)).toEqual({ state: 'stopped', bootCount: 3 })
    expect(applyFact(behind, ended, NOW)).toMatchObject({ state: 'stopped', bootCount: 3 })
  })

  it('an instance that ends by itself is stopped, and says why', () => {
    const fact = {
      kind: 'stopped',
      instance: id,
      bootCount: 1,
      code: 'Client.X',
      message: 'exit 1',
    } as const
    expect(applyFact({ ...launched, state: 'running' }, fact, NOW)).toEqual({
      state: 'stopped',
      wanted: 'stop',
      stateReason: { code: 'Client.X', message: 'Client.X: exit 1' },
    })
  })
})

it('a tombstone is kept for an hour', () => {
  const gone: Instance = { ...launched, state: 'terminated', terminatedAt: NOW }
  expect(isPurgeable(gone, Date.parse(NOW) + TOMBSTONE_MS - 1)).toBe(false)
  expect(isPurgeable(gone, Date.parse(NOW) + TOMBSTONE_MS)).toBe(true)
  expect(isPurgeable(launched, Number.MAX_SAFE_INTEGER)).toBe(false)
})

describe('what its host has found out by asking it', () => {
  const LATER = '2026-11-22T09:00:00.000Z'
  const running: Instance = { ...launched, state: 'running', bootCount: 2, bootSeen: 2 }
  const fact = { kind: 'checked', instance: id, bootCount: 2, result: 'failed' } as const
  const found = (result: CheckResult, bootCount = 2) => ({
    check: { bootCount, result, since: NOW },
  })

  it.each<[CheckResult | null, CheckResult, boolean]>([
    [null, 'passed', true],
    [null, 'failed', true],
    [null, 'unknown', true],
    ['passed', 'passed', false],
    ['passed', 'failed', true],
    ['passed', 'unknown', true],
    ['failed', 'passed', true],
    ['failed', 'failed', false],
    // Nothing else was found out.
    ['failed', 'unknown', false],
    ['unknown', 'passed', true],
    ['unknown', 'failed', true],
    ['unknown', 'unknown', false],
  ])('after %s, %s is news: %s', (before, result, isNews) => {
    const known = before === null ? {} : found(before)
    const change = applyFact({ ...running, ...known }, { ...fact, result }, LATER)
    const answered = result === 'passed' ? { answered: true } : {}
    const check = { bootCount: 2, result, since: LATER, ...answered }
    expect(change).toEqual(isNews ? { check } : null)
  })

  it.each<[CheckResult, number, object]>([
    ['failed', 2, { answered: true }],
    ['unknown', 2, { answered: true }],
    ['failed', 1, {}],
  ])('tells for %s, when boot %d has answered: %j', (result, bootCount, said) => {
    const check = { bootCount, result: 'passed', since: NOW, answered: true } as const
    expect(applyFact({ ...running, check }, { ...fact, result }, LATER)).toEqual({
      check: { bootCount: 2, result, since: LATER, ...said },
    })
  })

  it('takes back what was announced because of the result before', () => {
    const check = { bootCount: 2, result: 'failed', since: NOW, rebootAt: LATER } as const
    const change = applyFact({ ...running, check }, { ...fact, result: 'passed' }, LATER)
    expect(change?.check).not.toHaveProperty('rebootAt')
  })

  it('is news of another boot', () => {
    const known = { ...running, ...found('failed', 1) }
    expect(applyFact(known, fact, LATER)).toEqual({
      check: { bootCount: 2, result: 'failed', since: LATER },
    })
  })

  it.each<Partial<Instance>>([
    { state: 'pending' },
    { state: 'stopping' },
    { state: 'stopped' },
    { state: 'shutting-down' },
    { state: 'terminated' },
    { bootCount: 3 },
    { bootSeen: 1 },
    { bootCount: 1, bootSeen: 1 },
  ])('says nothing of one that is %j', (change) => {
    expect(applyFact({ ...running, ...change }, fact, LATER)).toBeNull()
  })
})
