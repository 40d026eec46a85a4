/** A process `fence` that a test moves by hand. */
import type { Fence, Permission } from '../../src/agent/fence.ts'
import type { Guarded } from '../../src/model/guarded.ts'
import type { HostName } from '../../src/model/ids.ts'
import { beginRound } from '../../src/plan/failover/round.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../src/plan/failover/times.ts'

const TIMES = failoverTimes(FAILOVER_SETTINGS)

/** What a test does with it. */
export interface FakeFence extends Fence {
  /** Begins a term of so many milliseconds from now. */
  permit(term: number, ms?: number): void
  pass(ms: number): void
  /** The lists that it was given, in order. */
  readonly lists: (readonly Guarded[])[]
  /** Who consents. Called before the answer. */
  consents: (about: HostName) => readonly HostName[] | Promise<readonly HostName[]>
}

/** Without permission, of a cloud with these members. */
export function fakeFence(members: readonly HostName[]): FakeFence {
  let nowMs = 1_000_000
  let permission: Permission = { term: 0, id: '', untilMs: Number.NEGATIVE_INFINITY }
  const listeners = new Set<(permission: Permission) => void>()
  const lists: (readonly Guarded[])[] = []
  return {
    times: TIMES,
    lists,
    consents: () => members,
    nowMs: () => nowMs,
    permission: () => permission,
    level: () => 'muted',
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async guard(all) {
      lists.push(all)
    },
    async askConsent(about) {
      const round = beginRound('round', { version: 1, members }, nowMs)
      return { ...round, yes: new Set(await this.consents(about)) }
    },
    permit(term, ms = TIMES.permissionMs) {
      permission = { term, id: `term-${term}`, untilMs: nowMs + ms }
      for (const listener of listeners) listener(permission)
    },
    pass(ms) {
      nowMs += ms
    },
  }
}
