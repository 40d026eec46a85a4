/** Instances that hosts have started before anybody asked for them (`docs/warm-instances.md`). */
import type { HostName, InstanceId } from '../../model/ids.ts'
import { isSameKind, type OfferedInstance } from '../../model/warm-instance.ts'
import type { Tx } from '../../store/store.ts'
import type { LaunchChoices } from './choices.ts'
import type { RandomIds } from './random-ids.ts'
import type { LaunchRequest } from './request.ts'

/**
 * Those that may become instances of this launch. One that other hosts may start again is first
 * permitted to start, so none is used for it.
 */
export function usableOffers(
  offers: readonly OfferedInstance[],
  { image, type }: Pick<LaunchChoices, 'image' | 'type'>,
  { recovery }: Pick<LaunchRequest, 'recovery'>,
): readonly OfferedInstance[] {
  const { digest } = image
  if (digest === null || recovery === 'recover') return []
  const kind = { image: image.id, digest, type: type.name }
  return offers.filter((offer) => isSameKind(offer, kind))
}

/** A launch under way, of which each instance takes one. */
interface Taking {
  readonly tx: Pick<Tx, 'takeWarmInstance'>
  readonly draw: Pick<RandomIds, 'number'>
  /** What is left, as far as this launch knows. */
  readonly room: { offers: readonly OfferedInstance[] }
}

/**
 * Takes one that the host has started, and returns its id; null when there is none left. Launches
 * of the same moment begin with different ones.
 */
export async function takeOffer(
  { tx, draw, room }: Taking,
  host: HostName,
): Promise<InstanceId | null> {
  for (;;) {
    const its = room.offers.filter((one) => one.host === host)
    const offer = its.length === 0 ? undefined : its[draw.number() % its.length]
    if (offer === undefined) return null
    room.offers = room.offers.filter((one) => one !== offer)
    if ((await tx.takeWarmInstance(offer)) === 'done') return offer.id
  }
}
