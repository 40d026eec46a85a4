/**
 * ModifyInstanceMetadataOptions. Options that are not named do not change. The instance's host
 * applies them within one pass.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { OLDER_METADATA } from '../../model/metadata-options.ts'
import { changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import { askedMetadata, metadataShape, metadataView } from '../instances/metadata-options.ts'
import { idSchema } from '../schemas.ts'

const schema = z.strictObject({
  ...metadataShape,
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
})

/** ModifyInstanceMetadataOptions. */
export const modifyInstanceMetadataOptions = changeAction({
  name: 'ModifyInstanceMetadataOptions',
  input: schema,
  prepare({ InstanceId: id, ...given }) {
    const asked = askedMetadata(given)
    if (Object.keys(asked).length > 0) return { id, asked }
    throw refused(
      'MissingParameter',
      'Name at least one of HttpTokens, HttpEndpoint, HttpPutResponseHopLimit and InstanceMetadataTags',
    )
  },
  async change(tx, { id, asked }, { account }) {
    const instance = await requireInstance(tx, account, id)
    if (instance.wanted === 'terminate')
      throw refused('IncorrectInstanceState', `The instance '${id}' is being terminated`)
    const metadata = { ...(instance.metadata ?? OLDER_METADATA), ...asked }
    await tx.updateInstance(id, { metadata })
    return { id, metadata }
  },
  view: ({ id: InstanceId, metadata }) => {
    return { InstanceId, InstanceMetadataOptions: { ...metadataView(metadata), State: 'pending' } }
  },
})
