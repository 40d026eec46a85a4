import { expect, it } from 'vitest'
import { getSubnetCidrReservations } from '../../../../src/api/actions/get-subnet-cidr-reservations.ts'
import { BOB, openCloud } from '../../../kit/api-cloud.ts'

it('is empty of what is there, and refused of what is not', async () => {
  await using cloud = await openCloud()
  const action = getSubnetCidrReservations
  const asked = { SubnetId: cloud.subnet.id }
  expect(await cloud.run(action, asked)).toEqual({
    SubnetIpv4CidrReservations: [],
    SubnetIpv6CidrReservations: [],
  })
  expect(await cloud.refusal(action, asked, BOB)).toBe('InvalidSubnetID.NotFound')
  expect(await cloud.refusal(action)).toBe('MissingParameter')
  expect(await cloud.refusal(action, { SubnetId: 'x' })).toBe('InvalidSubnetID.Malformed')
})
