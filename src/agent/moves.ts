/**
 * Writes what this host found out about moves to it, and ends moves that nobody works on: then the
 * instance runs again where it was.
 */
import type { Clock } from '../lib/clock.ts'
import { isoTime } from '../lib/clock.ts'
import { assertNever } from '../model/errors.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import type { Move, MoveFact } from '../model/move.ts'
import { completeMove, failMove } from '../store/moves.ts'
import type { Store, Tx } from '../store/store.ts'

/** A host that copies says so more often. Much longer than the loss of a node of the database. */
const STALLED_MS = 120_000
/** Moves that are ended at one time; the rest waits for the next search. */
const STALLED_LIMIT = 100

/** Whether a fact says something new of this move. */
export function isNewsOfMove(fact: MoveFact, move: Move | undefined): boolean {
  if (move?.state !== 'copying') return false
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
      return (await completeMove(tx, move, fact.bootCount, now)) === 'done' ? 'want' : null
    case 'move-failed':
      return (await failMove(tx, move, fact.message, now)) === 'done' ? 'want' : null
    default:
      return assertNever(fact)
  }
}

/**
 * Writes at once that a running instance is here, because it stands still until then: the same that
 * the facts of a pass would say.
 */
export async function recordArrival(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  self: HostName,
  moved: InstanceId,
  bootCount: number,
): Promise<void> {
  await store.change(async (tx) => {
    const [move] = await tx.moves({ instances: [moved] })
    if (move?.to !== self || !move.live) return
    await writeMoveFact(tx, { kind: 'move-arrived', moved, bootCount }, move, isoTime(clock.now()))
  })
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
