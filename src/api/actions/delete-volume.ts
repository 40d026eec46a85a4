/**
 * DeleteVolume: only for a volume without an instance. The volume is listed until its host has
 * removed it. A host that is away does that when it is back.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { idSchema, missingVolumes } from '../schemas.ts'

const schema = z.strictObject({ VolumeId: idSchema('vol', 'InvalidVolumeID.Malformed') })

/** DeleteVolume. */
export const deleteVolume = changeAction({
  name: 'DeleteVolume',
  input: schema,
  async change(tx, { VolumeId: id }, { account }) {
    const [volume] = await tx.volumes({ account, ids: [id] })
    if (volume === undefined) throw missingVolumes([id])
    if (volume.instance !== null)
      throw refused('VolumeInUse', `Volume ${id} is currently attached to ${volume.instance}`)
    await tx.updateVolume(id, { state: 'deleting' })
  },
})
