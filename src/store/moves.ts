/**
 * How a move of an instance goes on and ends (`model/move.ts`), each in the transaction that makes
 * it so. Whoever ends it gives back the room that the new host kept for it.
 */
import { unavailable } from '../model/errors.ts'
import { requestStart } from '../model/lifecycle.ts'
import { isOpenMove, type Move } from '../model/move.ts'
import type { Instance } from '../model/records.ts'
import type { Tx } from './store.ts'

/**
 * What a new state of an instance changes in its move. Stopped, it may be copied; running on its
 * new host, or stopped there again, it has arrived. Returns whether the move has changed.
 */
export async function goOnWithMove(
  tx: Tx,
  { state, bootCount }: Instance,
  move: Move | undefined,
  now: string,
): Promise<boolean> {
  if (move === undefined || (state !== 'stopped' && state !== 'running')) return false
  const atMs = Date.parse(now)
  // Its client has stopped it: there is nothing to be passed on any more.
  if (move.live && move.state === 'copying' && state === 'stopped')
    return (await failMove(tx, move, 'it was stopped meanwhile', now)) === 'done'
  if (move.state === 'stopping' && state === 'stopped') {
    await tx.changeMove(move, { state: 'copying', bootCount, stoppedAtMs: atMs })
    return true
  }
  if (move.state !== 'starting') return false
  await tx.changeMove(move, { state: 'done', endedAtMs: atMs })
  return true
}

/**
 * Ends a move. The instance stays where it is, and runs again there if it ran before. `lost`: it
 * has gone on or ended meanwhile.
 */
export async function failMove(
  tx: Tx,
  move: Move,
  message: string,
  now: string,
): Promise<'done' | 'lost'> {
  const ended = { state: 'failed' as const, message, endedAtMs: Date.parse(now) }
  if (!isOpenMove(move) || (await tx.changeMove(move, ended)) === 'lost') return 'lost'
  const [instance] = await tx.instances({ ids: [move.instance] })
  await giveRoomBack(tx, move, instance)
  if (instance === undefined || !move.restart || instance.host !== move.from) return 'done'
  if (instance.wanted !== 'stop') return 'done'
  // One that is still being stopped is started when that is over.
  const change = requestStart({ ...instance, state: 'stopped' }, now)
  if (change !== null) await tx.updateInstance(instance.id, change)
  return 'done'
}

/**
 * Gives an instance of which everything was copied to its new host. Of a live move, the old host
 * has said that it stands still there for good: it runs again only on the host that this
 * transaction, or the end of the move, leaves it to. `later`: an image is being made from it where
 * it is. `stale`: the copy is worth nothing any more, which ends the move.
 */
export async function completeMove(
  tx: Tx,
  move: Move,
  bootCount: number,
  now: string,
): Promise<'done' | 'stale' | 'later'> {
  const [instance] = await tx.instances({ ids: [move.instance] })
  if (instance === undefined) return 'later'
  const images = await tx.images({ host: move.from })
  const isCaptured = images.some(
    ({ state, sourceInstance }) => state === 'pending' && sourceInstance === move.instance,
  )
  // One that stands still cannot wait.
  if (isCaptured && !move.live) return 'later'
  const stale = isCaptured
    ? 'an image is being made from it'
    : await whyStale(tx, move, instance, bootCount)
  if (stale !== null) {
    await failMove(tx, move, stale, now)
    return 'stale'
  }
  const ended = move.restart
    ? { state: 'starting' as const, message: '' }
    : { state: 'done' as const, message: '', endedAtMs: Date.parse(now) }
  const isDone =
    (await tx.changeMove(move, ended)) === 'done' && (await tx.transferInstance(move)) === 'done'
  if (!isDone) throw unavailable(`the move of ${move.instance} was changed meanwhile`)
  await tx.returnCapacity(move.from, move.vcpus, move.memoryMiB, move.diskGiB)
  const group = instance.options?.placementGroup?.id
  if (group !== undefined) await tx.freePlacementSlot(group, move.from)
  const start = move.restart ? requestStart({ ...instance, host: move.to }, now) : null
  if (start !== null) await tx.updateInstance(instance.id, start)
  return 'done'
}

/** Ends the move of an instance that is gone. */
export async function endMoveOf(tx: Tx, instance: Instance): Promise<void> {
  const [move] = await tx.moves({ instances: [instance.id] })
  if (move === undefined) return
  const isOpen = isOpenMove(move)
  await tx.deleteMove(move)
  if (isOpen) await giveRoomBack(tx, move, instance)
}

async function giveRoomBack(tx: Tx, move: Move, instance: Instance | undefined): Promise<void> {
  await tx.returnCapacity(move.to, move.vcpus, move.memoryMiB, move.diskGiB)
  const group = instance?.options?.placementGroup?.id
  if (group !== undefined) await tx.freePlacementSlot(group, move.to)
}

/** Why the copy must not be used. Null: it may be. */
async function whyStale(
  tx: Tx,
  move: Move,
  instance: Instance,
  bootCount: number,
): Promise<string | null> {
  const isAsAsked = move.live
    ? instance.state === 'running' && instance.wanted === 'run'
    : instance.state === 'stopped' && instance.wanted === 'stop'
  if (!isAsAsked || instance.bootCount !== bootCount || instance.host !== move.from)
    return move.live ? 'it was stopped or rebooted meanwhile' : 'it was started meanwhile'
  const type = (await tx.instanceTypes()).find(({ name }) => name === instance.type)
  const isAsKept = type?.vcpus === move.vcpus && type.memoryMiB === move.memoryMiB
  return isAsKept ? null : 'its type was changed meanwhile'
}
