/** How moves are told apart. */
import type { InstanceId } from '../../model/ids.ts'

/** By which what is done for a move is known. */
export function keyOfMove({
  instance,
  move,
}: {
  readonly instance: InstanceId
  readonly move: number
}): string {
  return `${instance}/${move}`
}
