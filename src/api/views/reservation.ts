/** Reservations: the instances of each launch. Pure. */
import type { Reservation } from '@aws-sdk/client-ec2'
import type { ListedInstance } from './instance-filters.ts'

/** Instances grouped by reservation, in their given order. */
export function reservationsView(
  listed: readonly Omit<ListedInstance, 'nicTags' | 'allocated'>[],
): Reservation[] {
  const groups = Map.groupBy(listed, ({ reservation }) => reservation)
  return [...groups].map(([reservation, members]) => ({
    ReservationId: reservation,
    OwnerId: members[0]?.owner,
    // Security groups of a reservation exist only in EC2-Classic. In a VPC, NICs have them.
    Groups: [],
    Instances: members.map(({ view }) => view),
  }))
}
