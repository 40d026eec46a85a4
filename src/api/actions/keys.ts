/**
 * Key pairs: CreateKeyPair, ImportKeyPair, DescribeKeyPairs, DeleteKeyPair.
 *
 * Only the public half is kept, as one authorized_keys line whose comment is the key's name; a private key leaves in
 * the answer to CreateKeyPair and is nowhere else. Formats and fingerprints: `api/ssh-keys.ts`.
 */
import type { DescribeKeyPairsResult, KeyPairInfo, Tag as TagOutput } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { KeyPair } from '../../model/records.ts'
import type { Action } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, isAmong, refuseMissing } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { KEY_NAME_MAX_LENGTH } from '../key-pairs.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { filterShape, IDS_MAX, idListSchema, notFound } from '../schemas.ts'
import { tagsIndex } from '../views/tags.ts'

const describeSchema = z.strictObject({
  ...filterShape,
  KeyNames: z.array(z.string().max(KEY_NAME_MAX_LENGTH)).max(IDS_MAX).default([]),
  KeyPairIds: idListSchema('key', 'InvalidKeyPair.NotFound').default([]),
  IncludePublicKey: z.boolean().default(false),
})

const KEY_FILTERS: FilterTable<KeyPairInfo> = {
  fingerprint: (key) => key.KeyFingerprint,
  'key-name': (key) => key.KeyName,
  'key-pair-id': (key) => key.KeyPairId,
}

/** DescribeKeyPairs: in one piece, EC2 has no pages here. */
export const describeKeyPairs: Action = {
  name: 'DescribeKeyPairs',
  async run(call): Promise<DescribeKeyPairsResult> {
    const input = parseInput(describeSchema, call.input)
    dryRun(call)
    const { account } = call.caller
    const { keys, tags } = await call.parts.store.read(async (tx) => ({
      keys: await tx.keyPairs({ account }),
      tags: await tx.tags({ account }),
    }))
    refuseMissing(input.KeyNames, new Set(keys.map(({ name }) => name)), missingKeys)
    refuseMissing(input.KeyPairIds, new Set(keys.map(({ id }) => id)), missingKeys)
    const tagsOf = tagsIndex(tags)
    const named = isAmong(input.KeyNames)
    const wanted = isAmong(input.KeyPairIds)
    const shown = keys.filter(({ id, name }) => named(name) && wanted(id))
    const views = await mapInPieces(call.budget, shown, (key) =>
      keyView(key, tagsOf(key.id), input.IncludePublicKey),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeKeyPairs',
      key: (key) => key.KeyName ?? '',
      filters: KEY_FILTERS,
      unpaged: true,
      tags: (key) => key.Tags ?? [],
    })
    return { KeyPairs: [...page.items] }
  },
}

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
    // Here EC2 says of a key without tags that it has none.
    Tags: tags,
  }
}
