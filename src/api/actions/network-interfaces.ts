/** NICs: DescribeNetworkInterfaces, DescribeNetworkInterfaceAttribute. Each is made and goes with its instance. */
import type {
  DescribeNetworkInterfaceAttributeResult,
  DescribeNetworkInterfacesResult,
  NetworkInterface,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { instanceDetails } from '../instance-details.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, idListSchema, idSchema, notFound, pagedShape } from '../schemas.ts'
import { NETWORK_INTERFACE_FILTERS, networkInterfaceView } from '../views/network-interface.ts'

const MALFORMED = 'InvalidNetworkInterfaceId.Malformed'

const describeSchema = z.strictObject({
  ...pagedShape(5, 1000, { larger: 'refused' }),
  NetworkInterfaceIds: idListSchema('eni', MALFORMED).default([]),
  IncludeManagedResources: z.boolean().optional(),
})

/** DescribeNetworkInterfaces. */
export const describeNetworkInterfaces: Action = {
  name: 'DescribeNetworkInterfaces',
  async run(call): Promise<DescribeNetworkInterfacesResult> {
    const input = parseInput(describeSchema, call.input)
    refuseIdsWithMaxResults('NetworkInterfaceIds', input.NetworkInterfaceIds, input)
    dryRun(call)
    const views = await findNics(call, input.NetworkInterfaceIds)
    const page = await describe(call, views, input, {
      action: 'DescribeNetworkInterfaces',
      key: (nic) => nic.NetworkInterfaceId ?? '',
      filters: NETWORK_INTERFACE_FILTERS,
      tags: (nic) => nic.TagSet ?? [],
    })
    return { NetworkInterfaces: [...page.items], NextToken: page.nextToken }
  },
}

const attributeSchema = z.strictObject({
  ...dryRunShape,
  NetworkInterfaceId: idSchema('eni', MALFORMED),
  Attribute: z.enum([
    'description',
    'groupSet',
    'sourceDestCheck',
    'attachment',
    'associatePublicIpAddress',
  ]),
})

/** DescribeNetworkInterfaceAttribute. */
export const describeNetworkInterfaceAttribute: Action = {
  name: 'DescribeNetworkInterfaceAttribute',
  async run(call): Promise<DescribeNetworkInterfaceAttributeResult> {
    const { NetworkInterfaceId: id, Attribute } = parseInput(attributeSchema, call.input)
    dryRun(call)
    const [nic = {}] = await findNics(call, [id])
    return { NetworkInterfaceId: id, ...attributeView(nic, Attribute) }
  },
}

function attributeView(
  nic: NetworkInterface,
  attribute: z.output<typeof attributeSchema>['Attribute'],
): DescribeNetworkInterfaceAttributeResult {
  switch (attribute) {
    case 'description':
      return { Description: { Value: nic.Description } }
    case 'groupSet':
      return { Groups: nic.Groups }
    case 'sourceDestCheck':
      return { SourceDestCheck: { Value: nic.SourceDestCheck } }
    case 'attachment':
      return { Attachment: nic.Attachment }
    default:
      return { AssociatePublicIpAddress: false }
  }
}

/** The account's NICs, or those with the given ids; refuses one that does not exist. */
async function findNics(call: Call, ids: readonly string[]): Promise<readonly NetworkInterface[]> {
  const { account } = call.caller
  const all = await call.parts.store.read(async (tx) => {
    if (ids.length === 0) return await instanceDetails(tx, account)
    const nics = (await tx.nics({ account })).filter(({ id }) => ids.includes(id))
    return await instanceDetails(tx, account, [...new Set(nics.map((nic) => nic.instance))])
  })
  const nics = all.flatMap((details) => details.nics.map((nic) => ({ nic, details })))
  refuseMissing(ids, new Set(nics.map(({ nic }) => nic.id)), (missing) =>
    notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface ID', missing),
  )
  const wanted = isAmong<string>(ids)
  return await mapInPieces(
    call.budget,
    nics.filter(({ nic }) => wanted(nic.id)),
    ({ nic, details }) => networkInterfaceView(nic, details, call.parts.settings),
  )
}
