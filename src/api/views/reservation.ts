/** Reservations: the instances of one launch, together. Pure. */
import type { Reservation } from '@aws-sdk/client-ec2'
import type { ListedInstance } from './instance-filters.ts'

/** Instances grouped by reservation, in the order in which they come. */
export function reservationsView(
  listed: readonly Omit<ListedInstance, 'nicTags'>[],
): Reservation[] {
  const groups = Map.groupBy(listed, ({ reservation }) => reservation)
  return [...groups].map(([reservation, members]) => ({
    ReservationId: reservation,
    OwnerId: members[0]?.owner,
    // Security groups of the launch itself are EC2-Classic's; in a VPC they are the NIC's.
    Groups: [],
    Instances: members.map(({ view }) => view),
  }))
}
