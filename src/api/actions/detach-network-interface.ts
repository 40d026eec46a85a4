/** DetachNetworkInterface. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { attachmentOf } from '../../model/nics.ts'
import { changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import { attachmentIdSchema, missingAttachment } from '../networks/network-interfaces.ts'

/**
 * Takes a NIC off its instance, except the first one. While the instance runs, the NIC is
 * `detaching` until its host reports that it is gone. `Force` does not wait for a host that is
 * lost.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachNetworkInterface.html
 */
export const detachNetworkInterface = changeAction({
  name: 'DetachNetworkInterface',
  input: z.strictObject({
    AttachmentId: attachmentIdSchema,
    Force: z.boolean().default(false),
  }),
  async change(tx, { AttachmentId: id, Force }, { account }) {
    const nic = (await tx.nics({ account })).find((one) => attachmentOf(one)?.id === id)
    const attachment = nic === undefined ? null : attachmentOf(nic)
    if (nic === undefined || attachment === null || nic.instance === null)
      throw missingAttachment(id)
    if (nic.deviceIndex === 0)
      throw refused(
        'OperationNotPermitted',
        'The network interface at device index 0 cannot be detached.',
      )
    const { state } = await requireInstance(tx, account, nic.instance)
    if (Force || state === 'stopped' || state === 'terminated') await tx.detachNic(nic)
    else if (attachment.isEnding !== true)
      await tx.updateAttachment(nic, { ...attachment, isEnding: true })
  },
})
