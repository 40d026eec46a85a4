/** AttachInternetGateway and DetachInternetGateway. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Vpc } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import {
  internetGatewayIdSchema,
  refuseUnrouted,
  requireInternetGateway,
} from '../networks/routing.ts'
import { requireVpc, vpcIdSchema } from '../networks/vpcs.ts'

const input = z.strictObject({ InternetGatewayId: internetGatewayIdSchema, VpcId: vpcIdSchema })

/**
 * A VPC has at most one. It is a way out for the subnets whose routes lead to it.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachInternetGateway.html
 */
export const attachInternetGateway = changeAction({
  name: 'AttachInternetGateway',
  input,
  async change(tx, { InternetGatewayId: id, VpcId }, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const gateway = await requireInternetGateway(tx, account, id)
    const vpc = await requireVpc(tx, account, VpcId)
    if (gateway.vpc !== null)
      throw refused(
        'Resource.AlreadyAssociated',
        `resource ${id} is already attached to network ${gateway.vpc}`,
      )
    const [other] = await tx.internetGateways({ vpcs: [vpc.id] })
    const isTaken = (await tx.attachInternetGateway(id, { vpc: vpc.id })) === 'taken'
    if (other !== undefined || isTaken)
      throw refused(
        'InvalidParameterValue',
        `Network ${vpc.id} already has an internet gateway attached`,
      )
  },
})

/** Whether a floating IP leads to a NIC of the VPC, also to one that no instance has. */
async function hasMappedNics(tx: ReadTx, { id, account }: Vpc): Promise<boolean> {
  const addresses = await tx.addresses({ account })
  const ids = addresses.flatMap(({ association }) => association?.nic ?? [])
  const nics = ids.length === 0 ? [] : await tx.nics({ ids })
  return nics.some(({ vpc }) => vpc === id)
}

/**
 * Routes to it become blackholes.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html
 */
export const detachInternetGateway = changeAction({
  name: 'DetachInternetGateway',
  input,
  async change(tx, { InternetGatewayId: id, VpcId }, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const gateway = await requireInternetGateway(tx, account, id)
    const vpc = await requireVpc(tx, account, VpcId)
    if (gateway.vpc !== vpc.id)
      throw refused('Gateway.NotAttached', `resource ${id} is not attached to network ${vpc.id}`)
    const natGateways = await tx.natGateways({ vpcs: [vpc.id] })
    const isMapped = natGateways.some(({ address }) => address !== undefined)
    if (isMapped || (await hasMappedNics(tx, vpc)))
      throw refused(
        'DependencyViolation',
        `Network ${vpc.id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
      )
    await tx.detachInternetGateway(id, { vpc: vpc.id })
  },
})
