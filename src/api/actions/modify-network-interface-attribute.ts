/**
 * ModifyNetworkInterfaceAttribute and ResetNetworkInterfaceAttribute, also of a NIC of a running
 * instance. The first changes one attribute at a time.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html
 */
import { z } from 'zod'
import { attachmentOf } from '../../model/nics.ts'
import { changeAction } from '../change.ts'
import {
  attachmentIdSchema,
  missingAttachment,
  nicIdSchema,
  refuseNicsForOlderHosts,
  requireNic,
} from '../networks/network-interfaces.ts'
import { putIntoGroups } from '../networks/security-groups.ts'
import { idListSchema, oneAttribute, onlySchema, textSchema } from '../schemas.ts'

const attributes = {
  Attachment: z
    .strictObject({ AttachmentId: attachmentIdSchema, DeleteOnTermination: z.boolean() })
    .optional(),
  Description: z.strictObject({ Value: textSchema.default('') }).optional(),
  // A client that names no group sends no list, or an empty one.
  Groups: idListSchema('sg', 'InvalidGroupId.Malformed')
    .optional()
    .transform((ids) => (ids?.length === 0 ? undefined : ids)),
  SourceDestCheck: z.strictObject({ Value: z.boolean() }).optional(),
}
const schema = oneAttribute(
  z.strictObject({
    NetworkInterfaceId: nicIdSchema,
    ...attributes,
    AssociatePublicIpAddress: onlySchema(
      false,
      'AssociatePublicIpAddress: allocate an address and associate it',
    ),
    EnablePrimaryIpv6: onlySchema(false, 'EnablePrimaryIpv6: no IPv6'),
    EnaSrdSpecification: z
      .strictObject({ EnaSrdEnabled: onlySchema(false, 'EnaSrdSpecification: no ENA') })
      .optional(),
  }),
  attributes,
)

/** ModifyNetworkInterfaceAttribute. */
export const modifyNetworkInterfaceAttribute = changeAction({
  name: 'ModifyNetworkInterfaceAttribute',
  input: schema,
  async change(tx, asked, { account, settings }) {
    const nic = await requireNic(tx, account, asked.NetworkInterfaceId)
    const { Attachment, Description, Groups, SourceDestCheck } = asked
    if (Groups !== undefined) return await putIntoGroups(tx, nic, Groups, settings)
    if (SourceDestCheck?.Value === false || Attachment?.DeleteOnTermination === false)
      await refuseNicsForOlderHosts(tx, settings)
    if (Description !== undefined) await tx.updateNic(nic, { description: Description.Value })
    if (SourceDestCheck !== undefined)
      await tx.updateNic(nic, { sourceDestCheck: SourceDestCheck.Value })
    if (Attachment === undefined) return
    const attachment = attachmentOf(nic)
    const { AttachmentId: id, DeleteOnTermination: deleteOnTermination } = Attachment
    if (attachment?.id !== id) throw missingAttachment(id)
    await tx.updateAttachment(nic, { ...attachment, deleteOnTermination })
  },
})

/**
 * Its only attribute has the default that the source and the destination are checked.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetNetworkInterfaceAttribute.html
 */
export const resetNetworkInterfaceAttribute = changeAction({
  name: 'ResetNetworkInterfaceAttribute',
  input: z.strictObject({
    NetworkInterfaceId: nicIdSchema,
    SourceDestCheck: z.string().optional(),
  }),
  async change(tx, { NetworkInterfaceId: id }, { account }) {
    const nic = await requireNic(tx, account, id)
    await tx.updateNic(nic, { sourceDestCheck: true })
  },
})
