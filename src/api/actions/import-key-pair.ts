/** ImportKeyPair. */
import { z } from 'zod'
import { KIB } from '../../model/sizes.ts'
import { changeAction } from '../change.ts'
import { insertKey, keyNameSchema, keyTagsSchema } from '../instances/key-pairs.ts'
import { parsePublicKey } from '../instances/ssh-keys.ts'

/**
 * Longest base64 text of a public key. An 8192-bit RSA key in PEM takes less than a quarter of it.
 */
const MATERIAL_MAX_LENGTH = 16 * KIB

const schema = z.strictObject({
  KeyName: keyNameSchema,
  // Base64 by now, whatever the transport is.
  PublicKeyMaterial: z
    .string()
    .max(MATERIAL_MAX_LENGTH)
    .transform((text) => Buffer.from(text, 'base64')),
  TagSpecifications: keyTagsSchema,
})

/** ImportKeyPair. */
export const importKeyPair = changeAction({
  name: 'ImportKeyPair',
  input: schema,
  prepare: ({ KeyName: name, PublicKeyMaterial, TagSpecifications: tags }) => {
    return { name, tags, key: parsePublicKey(PublicKeyMaterial) }
  },
  change: insertKey,
  view: (answer) => answer,
})
