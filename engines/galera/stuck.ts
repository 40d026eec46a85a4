/**
 * Whether this host's Galera node is stuck and must be restarted. Each node decides for itself.
 * Pure.
 *
 * Galera keeps a node running that it has voted out (its disk was full, its data differ), and one
 * that was disturbed while it was a donor
 * (https://github.com/mariadb-corporation/galera/issues/580). Neither serves again until it is
 * restarted. These rules make a restart safe:
 *
 * - Only if nothing has changed for longer than any working node would take.
 * - A member, or a node that does not answer, only while another node is synced and so has every
 *   commit. The last node with the newest state is never restarted. A node that was voted out is no
 *   member, so it may be restarted at any time.
 * - One node after the other, in the order of the list: two at once could cost the majority.
 * - Not with a full disk: it would fail again, and each attempt burdens a donor.
 */
import { MIB } from '../../src/model/sizes.ts'
import { hasLeftCluster, isServing, type NodeStatus } from './status.ts'

/** Free space without which a node cannot start. */
export const MIN_FREE_BYTES = 64 * MIB

/** A node that was voted out. A starting node leaves `Disconnected` before it answers. */
const OUT_MS = 6_000
/** A member that does not serve. A change of the view takes a few seconds. */
const NOT_READY_MS = 20_000
/** A donor without a joining node. */
const DONOR_MS = 30_000
/** A joining node that receives nothing. */
const JOINING_MS = 180_000
/** A node that does not answer and whose data directory does not change, unlike in a recovery. */
const SILENT_MS = 120_000
/** Each later node of the list waits so much longer. */
const STAGGER_MS = 15_000

/** This host's node now, and how long nothing about it has changed (`fingerprint`). */
export interface Question {
  readonly nodes: readonly string[]
  readonly self: string
  /** Null: its process runs but does not answer. */
  readonly own: NodeStatus | null
  readonly sameForMs: number
  readonly freeBytes: number
  /** The other nodes that answer. */
  readonly heard: ReadonlyMap<string, NodeStatus>
}

/**
 * `healthy`: nothing to do. `wait`: look again. `restart`: stop it; its service manager starts it.
 */
export type Decision =
  | { readonly kind: 'healthy' }
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'restart'; readonly why: string }

/** Decides. Pure. */
export function decideStuck(question: Question): Decision {
  const { own, sameForMs, freeBytes, nodes, self } = question
  if (own !== null && isServing(own)) return { kind: 'healthy' }
  if (own?.component === 'non-Primary')
    return { kind: 'wait', why: 'it is not in a primary component' }
  const suspicion = suspect(question)
  if (suspicion === null) return { kind: 'wait', why: `it is ${own?.state ?? 'silent'}` }
  const { why, afterMs } = suspicion
  if (freeBytes < MIN_FREE_BYTES) return { kind: 'wait', why: `${why}, and its disk is full` }
  if (own !== null && hasLeftCluster(own))
    return { kind: sameForMs >= afterMs ? 'restart' : 'wait', why }
  const turnMs = afterMs + Math.max(0, nodes.indexOf(self)) * STAGGER_MS
  if (sameForMs < turnMs) return { kind: 'wait', why: `it is ${own?.state ?? 'silent'}` }
  const holder = nodes.find((node) => hasEveryCommit(question, node))
  return holder === undefined
    ? { kind: 'wait', why: `${why}, but no other node is known to have every commit` }
    : { kind: 'restart', why: `${why}, and ${holder} has every commit` }
}

/** What may be wrong, and for how long it must last; null when nothing is wrong. */
function suspect({
  own,
  heard,
}: Question): { readonly why: string; readonly afterMs: number } | null {
  if (own === null)
    return { why: 'it does not answer and its data does not change', afterMs: SILENT_MS }
  const { state, ready, size, desyncs } = own
  if (hasLeftCluster(own)) return { why: `it was voted out (${state})`, afterMs: OUT_MS }
  if (state.startsWith('Join'))
    return { why: `it is ${state} and receives nothing`, afterMs: JOINING_MS }
  if (!ready) return { why: `it is ${state} and does not serve`, afterMs: NOT_READY_MS }
  const synced = [...heard.values()].filter(isServing)
  // A donor with locked tables does not notice that members have left.
  const members = Math.min(size, ...synced.map((one) => one.size))
  // A joining node is not synced.
  return state === 'Donor/Desynced' && desyncs === 0 && synced.length === members - 1
    ? { why: 'it is a donor, but no node is joining', afterMs: DONOR_MS }
    : null
}

/** Whether another node is synced and in the same history, as far as this node knows its own. */
function hasEveryCommit({ own, heard, self }: Question, node: string): boolean {
  const other = heard.get(node)
  if (node === self || other === undefined || !isServing(other)) return false
  return own === null || own.history === other.history
}

/**
 * Changes whenever a node makes progress; then the waiting time starts again. `disk` is the
 * fingerprint of its data directory.
 */
export function fingerprint(own: NodeStatus | null, disk: string): string {
  if (own === null) return `silent ${disk}`
  const { component, state, ready, commit, receivedBytes } = own
  // A stuck member also receives commits. Only for a joining node are they progress.
  const progress = state.startsWith('Join') ? `${commit} ${receivedBytes} ${disk}` : ''
  return [component, state, ready, progress].join(' ')
}
