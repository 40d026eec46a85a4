/** CreateKeyPair. The private key is in the answer (`KeyMaterial`), and is not stored. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { insertKey, keyNameSchema, keyTagsSchema } from '../instances/key-pairs.ts'
import { createKey } from '../instances/ssh-keys.ts'
import { onlySchema } from '../schemas.ts'

const schema = z.strictObject({
  KeyName: keyNameSchema,
  KeyType: z.enum(['rsa', 'ed25519']).default('rsa'),
  KeyFormat: onlySchema('pem', 'KeyFormat: only pem is supported'),
  TagSpecifications: keyTagsSchema,
})

/** CreateKeyPair. */
export const createKeyPair = changeAction({
  name: 'CreateKeyPair',
  input: schema,
  async prepare({ KeyName: name, KeyType, TagSpecifications: tags }, { account, dryRun, parts }) {
    // Generating a key takes tenths of a second.
    dryRun()
    return { name, tags, key: await parts.keyGeneration.run(account, () => createKey(KeyType)) }
  },
  async change(tx, asked, changing) {
    const answer = await insertKey(tx, asked, changing)
    return { ...answer, KeyMaterial: asked.key.privateKey }
  },
  view: (answer) => answer,
})
