/**
 * Evacuation of a host, step by step: each call begins as many moves as may be under way. So
 * nothing has to be remembered, and whoever asks next goes on.
 */
import type { HostName, InstanceId } from '../../model/ids.ts'
import { isOpenMove, type Move } from '../../model/move.ts'
import { planEvacuation, planRebalance } from '../../plan/evacuation.ts'
import type { ReadTx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { readReserve } from '../instances/reserve.ts'
import { beside, type MoveSettings, movablesOf, requireHost } from './begin.ts'

/** Moves from one host at one time. Others wait and run meanwhile. */
export const MOVES_AT_ONCE = 2

/** One instance of an evacuation or a rebalance. */
export interface MoveReport {
  readonly instance: InstanceId
  readonly from: HostName
  /** Null: it cannot be moved. */
  readonly to: HostName | null
  /** `waiting`: it would be moved. `stuck`: it cannot be, `message` says why. */
  readonly state: Move['state'] | 'waiting' | 'stuck'
  readonly message: string
  /**
   * From its end on the old host to its start on the new one; of a live move, how long it stood
   * still. Null: unknown, or it did not run.
   */
  readonly downtimeMs: number | null
  /** It runs meanwhile. Absent: it is stopped. */
  readonly live?: true
}

/**
 * What is to be moved off a host, and what was moved since it is drained. What has failed since
 * `fromMs` (milliseconds since the epoch) is not to be tried again: each attempt stops an instance.
 */
export async function evacuationOf(
  tx: ReadTx,
  host: HostName,
  drivers: ApiSettings['drivers'],
  fromMs = Number.POSITIVE_INFINITY,
): Promise<readonly MoveReport[]> {
  const hosts = await tx.hosts()
  const since = requireHost(hosts, host).drainingSinceMs ?? 0
  const known = (await tx.moves({ host })).filter(({ from }) => from === host)
  const moved = known.filter(
    (move) =>
      isUnended(move) || (move.endedAtMs ?? 0) >= (move.state === 'failed' ? fromMs : since),
  )
  const failed = new Map(
    known.flatMap((move) => (move.state === 'failed' ? [[move.instance, move] as const] : [])),
  )
  const isMoved = new Set(moved.map(({ instance }) => instance))
  const left = (await tx.instances({ hosts: [host], live: true })).filter(
    ({ id }) => !isMoved.has(id),
  )
  const plan = planEvacuation(await movablesOf(tx, left, drivers), hosts)
  return [
    ...moved.map(reportOf),
    ...plan.map(({ instance, from, to, obstacle }): MoveReport => {
      const before = failed.get(instance)
      const failure = before === undefined ? '' : `failed before: ${before.message}`
      const state = to === null ? 'stuck' : 'waiting'
      return { instance, from, to, state, message: obstacle ?? failure, downtimeMs: null }
    }),
  ]
}

/** The moves that would make hosts evenly full. */
export async function rebalanceOf(
  tx: ReadTx,
  { drivers, reserve }: MoveSettings,
): Promise<readonly MoveReport[]> {
  const hosts = await tx.hosts()
  const kept = await readReserve(tx, hosts, reserve)
  const names = hosts.map(({ name }) => name)
  const all = await tx.instances({ hosts: names, live: true })
  const running = all.filter(({ state }) => state === 'running' || state === 'stopped')
  const byId = new Map(running.map((instance) => [instance.id, instance]))
  const movables = (await movablesOf(tx, running, drivers)).flatMap((movable) => {
    const instance = byId.get(movable.instance)
    return instance === undefined ? [] : [beside(kept, movable, instance)]
  })
  const moves = planRebalance(movables, hosts)
  return moves.map(({ instance, from, to }) => ({
    ...{ instance, from, to, state: 'waiting' as const, message: '', downtimeMs: null },
  }))
}

/** A move that has begun. */
export function reportOf(move: Move): MoveReport {
  const { instance, from, to, state, message, live, restart, stoppedAtMs, endedAtMs } = move
  const hasRun = restart || live
  const isKnown = hasRun && state === 'done' && stoppedAtMs !== null && endedAtMs !== null
  return {
    ...{ instance, from, to, state, message },
    downtimeMs: isKnown ? Math.max(0, endedAtMs - stoppedAtMs) : null,
    ...(live ? { live } : {}),
  }
}

function isUnended(move: Move): boolean {
  return isOpenMove(move) || move.state === 'starting'
}
