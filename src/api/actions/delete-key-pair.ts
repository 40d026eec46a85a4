/** DeleteKeyPair. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { KEY_NAME_MAX_LENGTH } from '../instances/key-pairs.ts'
import { idSchema } from '../schemas.ts'

const schema = z.strictObject({
  KeyName: z.string().max(KEY_NAME_MAX_LENGTH).optional(),
  KeyPairId: idSchema('key', 'InvalidKeyPair.NotFound').optional(),
})

/** DeleteKeyPair. As in EC2, it succeeds even if there is no such key. Instances keep the key. */
export const deleteKeyPair = changeAction({
  name: 'DeleteKeyPair',
  input: schema,
  prepare({ KeyName: name, KeyPairId: id }) {
    if (name === undefined && id === undefined)
      throw refused('MissingParameter', 'The request must contain KeyName or KeyPairId')
    return { name, id }
  },
  async change(tx, asked, { account }) {
    const keys = await tx.keyPairs({ account })
    const key = keys.find(
      ({ id, name }) =>
        (asked.id === undefined || id === asked.id) &&
        (asked.name === undefined || name === asked.name),
    )
    if (key === undefined) return undefined
    await tx.deleteKeyPair(key.id)
    await tx.deleteTagsOf(key.id)
    return key.id
  },
  view: (KeyPairId) => (KeyPairId === undefined ? { Return: true } : { Return: true, KeyPairId }),
})
