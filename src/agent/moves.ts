/**
 * Writes what this host found out about moves to it, and ends moves that nobody works on: then the
 * instance runs again where it was.
 */
import type { Clock } from '../lib/clock.ts'
import { isoTime } from '../lib/clock.ts'
import { assertNever } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { Arrival, Arrived, Move, MoveFact } from '../model/move.ts'
import { completeMove, failMove } from '../store/moves.ts'
import type { Store, Tx } from '../store/store.ts'

/** A host that copies says so more often. Much longer than the loss of a node of the database. */
const STALLED_MS = 120_000
/** Moves that are ended at one time; the rest waits for the next search. */
const STALLED_LIMIT = 100

/** Whether a fact says something new of this move. */
export function isNewsOfMove(fact: MoveFact, move: Move | undefined): boolean {
  if (move?.state !== 'copying' || move.askedAtMs !== fact.move) return false
  return fact.kind !== 'move-progress' || fact.message !== move.message
}

/** Writes a fact. Returns null when it changed nothing, and whether the host's want has changed. */
export async function writeMoveFact(
  tx: Tx,
  fact: MoveFact,
  move: Move | undefined,
  now: string,
): Promise<'state' | 'want' | null> {
  if (move === undefined || !isNewsOfMove(fact, move)) return null
  switch (fact.kind) {
    case 'move-progress':
      await tx.describeMove(move, fact.message)
      return 'state'
    case 'move-arrived':
      return (await completeMove(tx, move, fact.bootCount, now)) === 'later' ? null : 'want'
    case 'move-failed':
      return (await failMove(tx, move, fact.message, now)) === 'done' ? 'want' : null
    default:
      return assertNever(fact)
  }
}

/**
 * Writes at once that a running instance is here, because it stands still until then: the same that
 * the facts of a pass would say. Whether it belongs to this host from now on. Errors: those of the
 * store; then only the records know.
 */
export async function recordArrival(
  { store, clock }: MoveRecords,
  self: HostName,
  { moved, move: asked, bootCount }: Arrived,
): Promise<boolean> {
  return await store.change(async (tx) => {
    const [move] = await tx.moves({ instances: [moved] })
    const isIt = move?.to === self && move.live && move.askedAtMs === asked
    if (!isIt || move.state !== 'copying') return false
    return (await completeMove(tx, move, bootCount, isoTime(clock.now()))) === 'done'
  })
}

/** Writes for how long an instance stood still that was moved while it ran, and goes on now. */
export async function recordStandstill(
  { store, clock }: MoveRecords,
  self: HostName,
  { moved, move: asked }: Arrival,
  ms: number,
): Promise<void> {
  const endedAtMs = clock.now()
  await store.change(async (tx) => {
    const [move] = await tx.moves({ instances: [moved] })
    if (move?.to !== self || move.askedAtMs !== asked) return
    await tx.timeMove(move, { stoppedAtMs: endedAtMs - Math.round(ms), endedAtMs })
  })
}

/** What both need. */
interface MoveRecords {
  readonly store: Store
  readonly clock: Clock
}

/** Ends the moves that nobody works on. Returns them. */
export async function endStalledMoves(
  store: Store,
  clock: Clock,
  stalledMs = STALLED_MS,
): Promise<readonly Move[]> {
  const stalled = await store.single((tx) => tx.stalledMoves(stalledMs, STALLED_LIMIT))
  const ended: Move[] = []
  for (const move of stalled) {
    const why = `the host ${move.to} did nothing for ${stalledMs / 1000} seconds`
    const outcome = await store.change((tx) => failMove(tx, move, why, isoTime(clock.now())))
    if (outcome === 'done') ended.push(move)
  }
  return ended
}
