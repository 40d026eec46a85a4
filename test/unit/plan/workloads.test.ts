/** The plan of one workload: every want against every have, and that repeating it settles. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { InstanceWant, NicWant } from '../../../src/model/want.ts'
import {
  type EndedBy,
  type ImageStatus,
  type PluggedNic,
  planWorkload,
  UNRUNNABLE_EXIT_CODE,
  type WorkloadHave,
  type WorkloadProblem,
  type WorkloadState,
  type WorkloadStep,
} from '../../../src/plan/workloads.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { numbered } from '../../kit/records.ts'

const READY: ImageStatus = {
  kind: 'ready',
  digest: 'sha256:aa',
  architecture: 'x86_64',
  diskGiB: 3,
}
const id = instance(1).id

function ended(by: EndedBy, exitCode = 0): WorkloadState {
  return { kind: 'ended', by, exitCode }
}

function have(state: WorkloadState, bootCount: number | null = 1): WorkloadHave {
  return { instance: id, state, bootCount }
}

/** Step kind, or fact kind and code: what a case comes to in one word. */
function outcome(
  want: InstanceWant | undefined,
  found?: WorkloadHave,
  look = READY,
  problem?: WorkloadProblem,
) {
  const { step, facts } = planWorkload(want, found, () => look, problem)
  if (step !== null) return step.kind
  const [fact] = facts
  if (fact === undefined) return 'wait'
  return 'code' in fact ? `${fact.kind} ${fact.code}` : fact.kind
}

function withNics(...nics: readonly PluggedNic[]): WorkloadState {
  return { kind: 'running', plugged: true, nics }
}

const [{ id: NIC, ip: IP }] = instance(1).nics as [NicWant]
const UP: WorkloadState = { kind: 'running', plugged: true }
const UNPLUGGED: WorkloadState = { kind: 'running', plugged: false }

describe('started before it was asked for', () => {
  const waiting: WorkloadHave = { ...have(UNPLUGGED, null), warm: 'ready' }
  const spoilt: WorkloadHave = { ...waiting, warm: 'spoilt' }
  const taken = (takenBy: string): WorkloadHave => ({ ...have(UNPLUGGED, 1), takenBy })
  const { reservation } = instance(1)

  test.each<[string, Partial<InstanceWant>, WorkloadHave, string]>([
    ['waits for it', {}, waiting, 'adopt'],
    ['waits, and nothing says that it may start', { claimed: false }, waiting, 'ready'],
    ['waits, and is to be stopped', { run: 'stop' }, waiting, 'remove'],
    ['waits, and is to end', { run: 'terminate' }, waiting, 'remove'],
    ['may have been something', {}, spoilt, 'remove'],
    ['has ended', {}, { ...spoilt, state: ended('outside', 137) }, 'remove'],
    ['was never started', {}, { ...spoilt, state: { kind: 'created' } }, 'remove'],
    ['was taken, and has no NIC yet', {}, taken(reservation), 'plug'],
    ['was taken by another launch', {}, taken('r-0000000000000000f'), 'remove'],
    ['ran, and its boot record is lost', { ran: true }, spoilt, 'plug'],
    ['ran, and is another launch’s by its record', { ran: true }, taken('r-1'), 'plug'],
    ['is nobody’s', {}, { ...have({ kind: 'busy' }, null), warm: 'spoilt' }, 'wait'],
  ])('%s', (_name, changes, found, expected) => {
    expect(outcome(instance(1, changes), found)).toBe(expected)
  })

  test('it becomes the instance only if its image can be used, and not after failures', () => {
    const working: ImageStatus = { kind: 'working', message: 'pulling' }
    expect(outcome(instance(1), waiting, working)).toBe('wait')
    const problem = { message: 'no room', permanent: false }
    expect(outcome(instance(1), waiting, READY, problem)).toBe('failed Server.InternalError')
  })

  test('without an instance it is removed, if nobody says that it waits', () => {
    for (const one of [waiting, spoilt, taken(reservation)])
      expect(outcome(undefined, one)).toBe('remove')
  })
})

describe('wanted to run', () => {
  const cases: readonly [string, WorkloadHave | undefined, string][] = [
    ['nothing there', undefined, 'launch'],
    ['only its directory', have({ kind: 'remains' }, null), 'launch'],
    ['its disk was removed by somebody', have({ kind: 'lost' }, 1), 'stopped Server.InternalError'],
    ['made and never started', have({ kind: 'created' }), 'start'],
    ['running', have(UP, 2), 'running'],
    ['running without its NIC', have(UNPLUGGED, 2), 'plug'],
    ['running, and its NICs are not known', have(UP, 2), 'running'],
    ['running with its NIC', have(withNics({ name: NIC }), 2), 'running'],
    ['running with its NIC and address', have(withNics({ name: NIC, ips: [IP] }), 2), 'running'],
    ['running with another address', have(withNics({ name: NIC, ips: [IP, IP] }), 2), 'plug'],
    ['running with none', have(withNics(), 2), 'plug'],
    [
      'running with one that is not wanted',
      have(withNics({ name: NIC }, { name: 'x' }), 2),
      'plug',
    ],
    ['running with another attachment', have(withNics({ name: 'eni-attach-1' }), 2), 'plug'],
    ['running for an older boot', have(UP, 1), 'stop'],
    ['running, a reboot is due', { ...have(UP, 2), rebootDue: true }, 'stop'],
    ['off for a reboot that is due', { ...have(ended('itself'), 2), rebootDue: true }, 'start'],
    ['running, record lost', have(UP, null), 'plug'],
    ['between two hosts', have({ kind: 'suspended' }, 2), 'resume'],
    ['engine at work', have({ kind: 'busy' }), 'wait'],
    ['ended by itself', have(ended('itself', 3), 2), 'stopped Client.InstanceInitiatedShutdown'],
    ['ended at its memory limit', have(ended('memory', 137), 2), 'stopped Server.OutOfMemory'],
    ['rebooted from inside', have(ended('reboot', 129), 2), 'start'],
    ['killed from outside', have(ended('outside', 137), 2), 'start'],
    ['taken down with the engine', have(ended('unknown', 255), 2), 'start'],
    ['ended by itself before the boot asked for', have(ended('itself'), 1), 'start'],
    ['ended, record lost', have(ended('itself'), null), 'start'],
  ]
  test.each(cases)('%s', (_name, found, expected) => {
    expect(outcome(instance(1, { bootCount: 2 }), found)).toBe(expected)
  })

  test.each([
    ['nothing there', undefined],
    ['only its directory', have({ kind: 'remains' }, null)],
  ] as const)('ran before, %s: it is not made anew', (_name, found) => {
    const want = instance(1, { bootCount: 2, ran: true })
    expect(outcome(want, found)).toBe('stopped Server.InternalError')
    expect(outcome({ ...want, run: 'terminate' }, found)).toBe(
      found === undefined ? 'gone' : 'remove',
    )
  })

  test.each<[string, WorkloadHave | undefined, string]>([
    ['nothing there', undefined, 'ready'],
    ['made and never started', have({ kind: 'created' }), 'ready'],
    [
      'started before, and the records have lost the claim',
      have(ended('unknown', 255), 1),
      'ready',
    ],
  ])('not claimed, %s', (_name, found, expected) => {
    expect(outcome(instance(1, { claimed: false }), found)).toBe(expected)
  })

  test.each([
    ['keep', undefined, 'stopped Client.InstanceInitiatedShutdown'],
    ['recover', { acknowledged: true, assignment: 'a' }, 'start'],
  ] as const)('%s: a process that was killed', (_kind, recover, expected) => {
    const want = instance(1, { bootCount: 1, ...(recover === undefined ? {} : { recover }) })
    expect(outcome(want, have(ended('itself', 137), 1))).toBe(expected)
  })

  test('running, and the records have lost the claim: it is claimed again, and goes on', () => {
    const want = instance(1, { claimed: false, bootCount: 2 })
    const plan = (found: WorkloadHave) => planWorkload(want, found, () => READY)
    expect(plan(have(UP, 2)).facts).toMatchObject([{ kind: 'ready' }, { kind: 'running' }])
    expect(plan(have(UP, 1))).toMatchObject({ step: { kind: 'stop' }, facts: [{ kind: 'ready' }] })
  })

  test('an image that cannot be run ends the first boot as failed, a later one as stopped', () => {
    const broken = ended('itself', UNRUNNABLE_EXIT_CODE)
    expect(outcome(instance(1), have(broken, 1))).toBe('failed Client.InvalidImage')
    expect(outcome(instance(1, { bootCount: 2 }), have(broken, 2))).toBe(
      'stopped Client.InstanceInitiatedShutdown',
    )
  })

  test('a missing image fails with what was found out; one at work is waited for', () => {
    for (const [permanent, code] of [
      [true, 'Client.InvalidImage'],
      [false, 'Server.InternalError'],
    ] as const) {
      const failed: ImageStatus = {
        kind: 'failed',
        message: 'docker://x:1 is not there',
        permanent,
      }
      expect(planWorkload(instance(1), undefined, () => failed).facts).toEqual([
        { kind: 'failed', instance: id, code, message: failed.message },
      ])
    }
    expect(outcome(instance(1), undefined, { kind: 'working', message: '' })).toBe('wait')
  })

  test('a digest that nobody had pinned is reported with the launch', () => {
    const image = { ...instance(1).image, digest: null }
    const { facts } = planWorkload(instance(1, { image }), undefined, () => READY)
    expect(facts).toEqual([
      {
        kind: 'image-available',
        image: image.id,
        digest: 'sha256:aa',
        repositoryDigest: null,
        architecture: 'x86_64',
        diskGiB: 3,
      },
    ])
  })

  test.each([
    ['never started', { kind: 'created' }, true, 'failed Client.InvalidImage'],
    ['never started', { kind: 'created' }, false, 'failed Server.InternalError'],
    ['not there', { kind: 'remains' }, false, 'failed Server.InternalError'],
    ['ended', ended('outside'), true, 'stopped Server.InternalError'],
    ['ended', ended('outside'), false, 'start'],
    ['running', UP, true, 'running'],
    ['between two hosts', { kind: 'suspended' }, true, 'resume'],
  ] as const)('given up: %s %j, permanently: %s', (_name, state, permanent, expected) => {
    const problem = { message: 'no such user', permanent }
    expect(outcome(instance(1), have(state), READY, problem)).toBe(expected)
  })
})

const anyState = fc.oneof(
  fc.constant<WorkloadState>({ kind: 'remains' }),
  fc.constant<WorkloadState>({ kind: 'lost' }),
  fc.constant<WorkloadState>({ kind: 'created' }),
  fc.constant<WorkloadState>({ kind: 'suspended' }),
  fc.boolean().map((plugged): WorkloadState => ({ kind: 'running', plugged })),
  fc
    .tuple(
      fc.constantFrom<EndedBy>('itself', 'memory', 'reboot', 'outside', 'unknown'),
      fc.integer({ min: 0, max: 255 }),
    )
    .map(([by, exitCode]) => ended(by, exitCode)),
)
const anyHave = fc.option(
  fc
    .tuple(anyState, fc.option(fc.integer({ min: 0, max: 3 })))
    .map(([state, bootCount]) => have(state, bootCount)),
  { nil: undefined },
)
const anyWant = fc.option(
  fc
    .tuple(fc.constantFrom('run', 'stop', 'terminate'), fc.integer({ min: 1, max: 3 }))
    .map(([run, bootCount]) => instance(1, { run, bootCount })),
  { nil: undefined },
)

/** What a faultless driver makes of a step. */
function after(step: WorkloadStep, found: WorkloadHave | undefined): WorkloadHave | undefined {
  switch (step.kind) {
    case 'launch':
    case 'adopt':
    case 'start':
      return have(UP, step.instance.bootCount)
    case 'plug':
      return have(UP, found?.bootCount ?? step.instance.bootCount)
    case 'resume':
      return have(UP, found?.bootCount ?? null)
    case 'stop':
      return have(ended('outside', 143), found?.bootCount ?? null)
    case 'remove':
      return undefined
    case 'prepare':
      return found
  }
}

describe('from any want and any have', () => {
  test('repeating plan and step settles within four steps, on what is wanted', () => {
    fc.assert(
      fc.property(anyWant, anyHave, (want, start) => {
        let found = start
        for (let count = 0; count <= 4; count += 1) {
          const { step, facts } = planWorkload(want, found, () => READY)
          if (step === null) {
            if (want === undefined || want.run === 'terminate') return found === undefined
            if (want.run === 'stop')
              return found?.state.kind !== 'running' && found?.state.kind !== 'suspended'
            return (
              found?.state.kind === 'running' ||
              facts.some(({ kind }) => /stopped|failed/.test(kind))
            )
          }
          found = after(step, found)
        }
        return false
      }),
    )
  })

  test('nothing is made, started or plugged in unless it is wanted to run', () => {
    fc.assert(
      fc.property(anyWant, anyHave, (want, found) => {
        const kind = planWorkload(want, found, () => READY).step?.kind
        return want?.run === 'run' || kind === undefined || kind === 'stop' || kind === 'remove'
      }),
    )
  })

  test('nothing is removed unless it is to be terminated or no record knows it', () => {
    fc.assert(
      fc.property(anyWant, anyHave, (want, found) => {
        const kind = planWorkload(want, found, () => READY).step?.kind
        return kind !== 'remove' || want === undefined || want.run === 'terminate'
      }),
    )
  })

  test('a disk is kept only of what is to be terminated, and then always', () => {
    const disk = { volume: numbered('vol', 1), sizeGiB: 8, keep: true }
    fc.assert(
      fc.property(anyWant, anyHave, fc.boolean(), (want, found, keep) => {
        const wanted = want === undefined ? want : { ...want, disk: { ...disk, keep } }
        const { step } = planWorkload(wanted, found, () => READY)
        const kept = keep && want?.run === 'terminate' ? disk.volume : null
        return step?.kind !== 'remove' || step.keep === kept
      }),
    )
  })

  test('"gone" is said only when nothing is there', () => {
    fc.assert(
      fc.property(anyWant, anyHave, (want, found) => {
        const { facts } = planWorkload(want, found, () => READY)
        return found === undefined || facts.every(({ kind }) => kind !== 'gone')
      }),
    )
  })
})

test('a NIC is reported as attached when the workload has it, and not before', () => {
  const attachment = numbered('eni-attach', 1)
  const base = instance(1)
  const want: InstanceWant = {
    ...base,
    bootCount: 1,
    nics: base.nics.map((nic) => ({ ...nic, attachment })),
    attaching: [{ id: NIC, attachment }],
  }
  const facts = (state: WorkloadState) => planWorkload(want, have(state), () => READY).facts
  const attached = { kind: 'attached', nic: NIC, attachment, to: want.id }
  expect(facts(withNics({ name: attachment }))).toContainEqual(attached)
  expect(facts(UP)).toContainEqual(attached)
  for (const state of [withNics(), UNPLUGGED, ended('itself')])
    expect(facts(state).map(({ kind }) => kind)).not.toContain('attached')
})

describe('its disk is on a storage', () => {
  const disk = { volume: numbered('vol', 1), sizeGiB: 1, keep: false, storage: 'st-0' }
  const want = (ran: boolean) => instance(1, { disk, ran, claimed: true })

  test.each<[string, boolean, WorkloadHave | undefined, string]>([
    ['it ran on another host', true, undefined, 'launch'],
    ['this host had begun to make it', true, have({ kind: 'remains' }, null), 'launch'],
    ['it never ran', false, undefined, 'launch'],
    ['it was stopped here', true, have(ended('unknown'), 0), 'start'],
  ])('%s', (_case, ran, found, expected) => {
    expect(outcome(want(ran), found)).toBe(expected)
  })

  test('it is stopped, and not given up, when its disk is gone', () => {
    const problem = { message: 'the disk is not there', permanent: true }
    expect(outcome(want(true), undefined, READY, problem)).toBe('stopped Server.InternalError')
    const passing = { message: 'its file server does not answer', permanent: false }
    expect(outcome(want(true), undefined, READY, passing)).toBe('launch')
  })
})
