/**
 * Whether this machine's Galera node is stuck and has to be started anew: one pure decision, taken
 * by each node for itself.
 *
 * Galera leaves a node running that it has voted out (its disk was full, its data differ), and one
 * that was disturbed while it was another's donor
 * (https://github.com/mariadb-corporation/galera/issues/580): neither serves ever again, and
 * nothing but a start brings them back. The rules that keep such a start from doing harm:
 *
 * - Only after the same was seen for so long that no node which works would still look like that.
 * - One that is a member, or does not answer, only while another one is well, which then has every
 *   commit; so never the last one that has the newest state. One that was voted out is a member of
 *   nothing, and its loss is none.
 * - One after the other, in the order of the list: two at once could take the majority with them.
 * - Not on a full disk, on which it would fail again, each time at the cost of a donor.
 */
import { isOut, isWell, type NodeStatus } from './status.ts'

/** Free space below which a node has no chance. */
export const ROOM_BYTES = 64 * 1024 * 1024

/** Voted out. A node that only starts is past `Disconnected` before it answers at all. */
const OUT_MS = 6_000
/** A member that does not serve. A change of view takes a few seconds. */
const NOT_READY_MS = 20_000
/** Still a donor, while nobody is there who could be fed. */
const DONOR_MS = 30_000
/** Takes what it missed, and nothing comes. */
const JOINING_MS = 180_000
/**
 * Does not answer, and nothing in its data directory changes: neither a recovery nor a state
 * transfer looks like that.
 */
const SILENT_MS = 120_000
/** So much longer each later node of the list waits. */
const STAGGER_MS = 15_000

/**
 * What is seen of this machine's node now, and for how long nothing about it has changed
 * (`fingerprint`).
 */
export interface Question {
  readonly nodes: readonly string[]
  readonly self: string
  /** Null: its process is there and does not answer. */
  readonly own: NodeStatus | null
  readonly sameForMs: number
  readonly freeBytes: number
  /** The other nodes that answer. */
  readonly heard: ReadonlyMap<string, NodeStatus>
}

/**
 * `well`: nothing to do here; `wait`: look again; `restart`: end it, its service manager starts it
 * again.
 */
export type Decision =
  | { readonly kind: 'well' }
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'restart'; readonly why: string }

/** Pure. */
export function decideStuck(question: Question): Decision {
  const { own, sameForMs, freeBytes, nodes, self } = question
  if (own !== null && isWell(own)) return { kind: 'well' }
  if (own?.component === 'non-Primary')
    return { kind: 'wait', why: 'it is outside of a primary component' }
  const suspicion = suspect(question)
  if (suspicion === null) return { kind: 'wait', why: `it is ${own?.state ?? 'silent'}` }
  const { why, afterMs } = suspicion
  if (freeBytes < ROOM_BYTES) return { kind: 'wait', why: `${why}, and its disk is full` }
  if (own !== null && isOut(own)) return { kind: sameForMs >= afterMs ? 'restart' : 'wait', why }
  const turnMs = afterMs + Math.max(0, nodes.indexOf(self)) * STAGGER_MS
  if (sameForMs < turnMs) return { kind: 'wait', why: `it is ${own?.state ?? 'silent'}` }
  const holder = nodes.find((node) => isHolder(question, node))
  return holder === undefined
    ? { kind: 'wait', why: `${why}, but no other node is known to have every commit` }
    : { kind: 'restart', why: `${why}, and ${holder} has every commit` }
}

/** What may be wrong, and how long it must have been so; null when all may be as it should. */
function suspect({
  own,
  heard,
}: Question): { readonly why: string; readonly afterMs: number } | null {
  if (own === null) return { why: 'it does not answer and does not move', afterMs: SILENT_MS }
  const { state, ready, size, desyncs } = own
  if (isOut(own)) return { why: `it was voted out (${state})`, afterMs: OUT_MS }
  if (state.startsWith('Join'))
    return { why: `it is ${state} and gets nothing`, afterMs: JOINING_MS }
  if (!ready) return { why: `it is ${state} and does not serve`, afterMs: NOT_READY_MS }
  const synced = [...heard.values()].filter(isWell)
  // A donor that keeps its tables locked does not hear who has left.
  const members = Math.min(size, ...synced.map((one) => one.size))
  // Whoever is being fed does not answer as synced.
  return state === 'Donor/Desynced' && desyncs === 0 && synced.length === members - 1
    ? { why: 'it is the donor of nobody', afterMs: DONOR_MS }
    : null
}

/** Another one that is well, in the same history, as far as this one knows its own. */
function isHolder({ own, heard, self }: Question, node: string): boolean {
  const other = heard.get(node)
  if (node === self || other === undefined || !isWell(other)) return false
  return own === null || own.history === other.history
}

/**
 * Changes whenever a node gets on in any way: with it, time begins anew. `disk` stands for what its
 * data directory holds.
 */
export function fingerprint(own: NodeStatus | null, disk: string): string {
  if (own === null) return `silent ${disk}`
  const { component, state, ready, commit, receivedBytes } = own
  // Others' commits reach a stuck member, too; they are a sign of life in one that joins only.
  const progress = state.startsWith('Join') ? `${commit} ${receivedBytes} ${disk}` : ''
  return [component, state, ready, progress].join(' ')
}
