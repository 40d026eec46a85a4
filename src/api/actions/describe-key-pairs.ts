/** DescribeKeyPairs. */
import type { KeyPairInfo, Tag as TagOutput } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { KeyPair } from '../../model/records.ts'
import { isAmong, refuseMissing } from '../describe.ts'
import { KEY_NAME_MAX_LENGTH } from '../instances/key-pairs.ts'
import { describeAction } from '../read.ts'
import { filterShape, IDS_MAX, idListSchema, notFound } from '../schemas.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's key pairs, without pages, as in EC2. */
export const describeKeyPairs = describeAction({
  name: 'DescribeKeyPairs',
  input: z.strictObject({
    ...filterShape,
    KeyNames: z.array(z.string().max(KEY_NAME_MAX_LENGTH)).max(IDS_MAX).default([]),
    KeyPairIds: idListSchema('key', 'InvalidKeyPair.NotFound').default([]),
    IncludePublicKey: z.boolean().default(false),
  }),
  rows: ({ KeyNames, KeyPairIds }, { account, read }) =>
    read(async (tx) => {
      const keys = await tx.keyPairs({ account })
      refuseMissing(KeyNames, new Set(keys.map(({ name }) => name)), missingKeys)
      refuseMissing(KeyPairIds, new Set(keys.map(({ id }) => id)), missingKeys)
      const resources = keys.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isNamed = isAmong(KeyNames)
      const isWanted = isAmong(KeyPairIds)
      return keys
        .filter(({ id, name }) => isNamed(name) && isWanted(id))
        .map((key) => ({ key, tags: tagsOf(key.id) }))
    }),
  view: ({ key, tags }, { IncludePublicKey }) => keyView(key, tags, IncludePublicKey),
  key: (key) => key.KeyName ?? '',
  filters: {
    fingerprint: (key) => key.KeyFingerprint,
    'key-name': (key) => key.KeyName,
    'key-pair-id': (key) => key.KeyPairId,
  },
  tags: (key) => key.Tags ?? [],
  unpaged: true,
  answer: (KeyPairs) => ({ KeyPairs }),
})

function missingKeys(missing: readonly string[]): Error {
  return notFound('InvalidKeyPair.NotFound', 'key pair', missing)
}

function keyView(key: KeyPair, tags: TagOutput[], withPublicKey: boolean): KeyPairInfo {
  return {
    KeyPairId: key.id,
    KeyName: key.name,
    KeyType: key.type,
    KeyFingerprint: key.fingerprint,
    CreateTime: new Date(key.createdAt),
    ...(withPublicKey ? { PublicKey: key.publicKey } : {}),
    // In EC2, a key without tags has an empty list here.
    Tags: tags,
  }
}
