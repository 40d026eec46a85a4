/**
 * ModifyNetworkInterfaceAttribute: sets the groups of a NIC, also of a running instance. It changes
 * one attribute at a time. An attribute that cannot change is accepted with its current value.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html
 */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { idListSchema, idSchema, notFound, onlySchema, withCode } from '../schemas.ts'
import { putIntoGroups } from '../security-groups.ts'

const schema = z
  .strictObject({
    NetworkInterfaceId: idSchema('eni', 'InvalidNetworkInterfaceId.Malformed'),
    Groups: idListSchema('sg', 'InvalidGroupId.Malformed').optional(),
    SourceDestCheck: z
      .strictObject({
        Value: onlySchema(
          true,
          'SourceDestCheck: packets from foreign addresses are always dropped',
        ),
      })
      .optional(),
  })
  .refine(
    ({ Groups = [], SourceDestCheck }) => Groups.length > 0 !== (SourceDestCheck !== undefined),
    { error: 'Name exactly one attribute', ...withCode('InvalidParameterCombination') },
  )

/** ModifyNetworkInterfaceAttribute. */
export const modifyNetworkInterfaceAttribute = changeAction({
  name: 'ModifyNetworkInterfaceAttribute',
  input: schema,
  async change(tx, { NetworkInterfaceId: id, Groups = [] }, { account, settings }) {
    const nic = (await tx.nics({ account })).find((one) => one.id === id)
    if (nic === undefined)
      throw notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface ID', [id])
    if (Groups.length > 0) await putIntoGroups(tx, nic, Groups, settings)
  },
})
