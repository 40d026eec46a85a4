/** Reservations as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { reservationsView } from '../../../../src/api/views/reservation.ts'
import { RUNS, seenBySdk } from '../../../kit/views.ts'

it('have their instances in the order in which they come', async () => {
  const launches = fc.array(fc.constantFrom('r-1', 'r-2', 'r-3'), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(launches, async (reservations) => {
      const listed = reservations.map((reservation, index) => ({
        reservation,
        owner: '000000000001',
        view: { InstanceId: `i-${index}` },
      }))
      const Reservations = reservationsView(listed)
      expect(await seenBySdk('DescribeInstances', { Reservations })).toStrictEqual({
        Reservations: [...new Set(reservations)].map((ReservationId) => ({
          ReservationId,
          OwnerId: '000000000001',
          Groups: [],
          Instances: listed
            .filter(({ reservation }) => reservation === ReservationId)
            .map(({ view }) => view),
        })),
      })
    }),
    RUNS,
  )
})
