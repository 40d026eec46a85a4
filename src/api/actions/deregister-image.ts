/**
 * DeregisterImage. Instances of the image go on, and can be stopped and started. Until the last one
 * is gone, and for an hour, the record remains, invisible, with a name that clients cannot use.
 */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { requireOwnImage } from '../instances/images.ts'
import { idSchema, withoutEffect } from '../schemas.ts'

const schema = z.strictObject({
  ImageId: idSchema('ami', 'InvalidAMIID.Malformed'),
  // There are no snapshots.
  DeleteAssociatedSnapshots: withoutEffect(z.boolean().optional()),
})

/** DeregisterImage. */
export const deregisterImage = changeAction({
  name: 'DeregisterImage',
  input: schema,
  async change(tx, { ImageId: id }, { account, now: deregisteredAt }) {
    await requireOwnImage(tx, account, id)
    const name = `deregistered:${id}`
    await tx.updateImage(id, { state: 'deregistered', name, deregisteredAt })
    await tx.deleteTagsOf(id)
    await tx.deleteImagePermissionsOf(id)
  },
  view: () => ({ Return: true }),
})
