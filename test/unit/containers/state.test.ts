import { describe, expect, test } from 'vitest'
import {
  type ContainerEvent,
  type ContainerState,
  endedBy,
  NEVER_STARTED,
  workloadState,
} from '../../../src/containers/state.ts'

const START_MS = Date.parse('2026-11-22T12:00:00Z')
const END_MS = START_MS + 600_000

function state(changes: Partial<ContainerState> = {}): ContainerState {
  return {
    Status: 'exited',
    OOMKilled: false,
    ExitCode: 0,
    StartedAt: new Date(START_MS).toISOString(),
    FinishedAt: new Date(END_MS).toISOString(),
    ...changes,
  }
}

function event(action: string, timeMs: number): ContainerEvent {
  return { action, timeMs }
}

const die = event('die', END_MS + 5)

describe('who ended it', () => {
  const cases: readonly [string, Partial<ContainerState>, readonly ContainerEvent[], string][] = [
    ['exit 0, seen', {}, [die], 'itself'],
    ['exit 3, seen', { ExitCode: 3 }, [die], 'itself'],
    ['power-off from inside', { ExitCode: 130 }, [die], 'itself'],
    ['reboot from inside', { ExitCode: 129 }, [die], 'reboot'],
    ['docker stop', {}, [event('kill', END_MS - 10), die], 'outside'],
    [
      'docker stop, later signal',
      { ExitCode: 137 },
      [event('kill', END_MS - 10_000), die],
      'outside',
    ],
    ['a signal long before', {}, [event('kill', END_MS - 90_000), die], 'itself'],
    ['a signal of the start before', {}, [event('kill', START_MS - 10), die], 'itself'],
    [
      'docker stop after the clock was set back',
      { StartedAt: new Date(END_MS + 3_600_000).toISOString() },
      [event('kill', END_MS - 10), die],
      'outside',
    ],
    ['SIGKILL past the engine', { ExitCode: 137 }, [die], 'outside'],
    ['SIGTERM past the engine', { ExitCode: 143 }, [die], 'outside'],
    ['out of memory', { ExitCode: 137, OOMKilled: true }, [die], 'memory'],
    ['exit 0 that a stopping engine caused', {}, [], 'unknown'],
    ['everything killed', { ExitCode: 255 }, [], 'unknown'],
    ['only an older end is remembered', {}, [event('die', START_MS - 100)], 'unknown'],
  ]
  test.each(cases)('%s', (_name, changes, events, expected) => {
    expect(endedBy(state(changes), events, null)).toBe(expected)
    // The engine was started since: what it does not remember it may not have seen.
    expect(endedBy(state(changes), events, END_MS + 1)).toBe(expected)
  })
})

describe('who ended it when the engine has forgotten', () => {
  const cases: readonly [string, Partial<ContainerState>, string][] = [
    ['exit 0', {}, 'itself'],
    ['exit 3', { ExitCode: 3 }, 'itself'],
    ['power-off from inside', { ExitCode: 130 }, 'itself'],
    ['reboot from inside', { ExitCode: 129 }, 'reboot'],
    ['killed', { ExitCode: 137 }, 'outside'],
    ['stopped', { ExitCode: 143 }, 'outside'],
    ['out of memory', { ExitCode: 137, OOMKilled: true }, 'memory'],
    ['an end that nobody saw', { ExitCode: 255 }, 'unknown'],
  ]
  test.each(cases)('%s', (_name, changes, expected) => {
    expect(endedBy(state(changes), [], END_MS - 60_000)).toBe(expected)
    expect(endedBy(state(changes), [event('die', START_MS - 100)], START_MS)).toBe(expected)
  })
})

describe('what state it is in', () => {
  const cases: readonly [string, string, string][] = [
    ['running', 'running', ''],
    ['paused', 'running', ''],
    ['created', 'created', ''],
    ['removing', 'busy', ''],
    ['restarting', 'busy', ''],
    ['exited', 'ended', ''],
    ['dead', 'ended', ''],
    ['exited', 'created', NEVER_STARTED],
  ]
  test.each(cases)('%s is %s %s', (status, expected, startedAt) => {
    const changes = startedAt === '' ? {} : { StartedAt: startedAt }
    expect(workloadState(state({ Status: status, ...changes }), [], 'itself').kind).toBe(expected)
  })
})
