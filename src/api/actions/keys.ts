/**
 * Key pairs: CreateKeyPair, ImportKeyPair, DescribeKeyPairs, DeleteKeyPair.
 *
 * Only the public half is kept, as one authorized_keys line whose comment is the key's name; a private key leaves in
 * the answer to CreateKeyPair and is nowhere else. Formats and fingerprints: `api/ssh-keys.ts`.
 */
import type {
  DeleteKeyPairResult,
  DescribeKeyPairsResult,
  ImportKeyPairResult,
  KeyPairInfo,
  KeyPair as KeyPairOutput,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { isoTime } from '../../lib/clock.ts'
import { refused } from '../../model/errors.ts'
import { formatId, ID_BYTES } from '../../model/ids.ts'
import type { KeyPair, Tag } from '../../model/records.ts'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, isAmong, refuseMissing } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { dryRun, parseInput } from '../parameters.ts'
import {
  dryRunShape,
  filterShape,
  IDS_MAX,
  idListSchema,
  idSchema,
  notFound,
  onlySchema,
  specifiedTags,
  tagSpecificationsSchema,
} from '../schemas.ts'
import { createKey, type PublicKey, parsePublicKey } from '../ssh-keys.ts'
import { tagged, tagsIndex, tagsView } from '../views/tags.ts'

const NAME_MAX_LENGTH = 255
/** Base64 text of a public key: an 8192-bit RSA key in PEM takes less than a quarter of it. */
const MATERIAL_MAX_LENGTH = 16 * 1024

// Also a part of the authorized_keys line: nothing that could begin another line or a terminal sequence.
const nameSchema = z
  .string()
  .min(1)
  .max(NAME_MAX_LENGTH)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'printable ASCII, no space at either end')
const keyTags = tagSpecificationsSchema(['key-pair'])
const keyId = idSchema('key', 'InvalidKeyPair.NotFound')

const createSchema = z.strictObject({
  ...dryRunShape,
  KeyName: nameSchema,
  KeyType: z.enum(['rsa', 'ed25519']).default('rsa'),
  KeyFormat: onlySchema('pem', 'KeyFormat: only pem is supported'),
  TagSpecifications: keyTags,
})

/** CreateKeyPair. The private key is in the answer (`KeyMaterial`) and is not kept. */
export const createKeyPair: Action = {
  name: 'CreateKeyPair',
  async run(call): Promise<KeyPairOutput> {
    const input = parseInput(createSchema, call.input)
    dryRun(call)
    // Before the transaction: it takes tenths of a second of arithmetic.
    const { account } = call.caller
    const key = await call.parts.keyMaking.run(account, () => createKey(input.KeyType))
    const answer = await insertKey(call, input.KeyName, key, input.TagSpecifications)
    return { ...answer, KeyMaterial: key.privateKey }
  },
}

const importSchema = z.strictObject({
  ...dryRunShape,
  KeyName: nameSchema,
  // Base64 by then, whichever door it came through.
  PublicKeyMaterial: z
    .string()
    .max(MATERIAL_MAX_LENGTH)
    .transform((text) => Buffer.from(text, 'base64')),
  TagSpecifications: keyTags,
})

/** ImportKeyPair. */
export const importKeyPair: Action = {
  name: 'ImportKeyPair',
  async run(call): Promise<ImportKeyPairResult> {
    const input = parseInput(importSchema, call.input)
    const key = parsePublicKey(input.PublicKeyMaterial)
    dryRun(call)
    return await insertKey(call, input.KeyName, key, input.TagSpecifications)
  },
}

async function insertKey(
  call: Call,
  name: string,
  key: PublicKey,
  specs: z.output<typeof keyTags>,
): Promise<ImportKeyPairResult> {
  const { store, clock, random } = call.parts
  const record: KeyPair = {
    id: formatId('key', random(ID_BYTES)),
    account: call.caller.account,
    name,
    type: key.type,
    fingerprint: key.fingerprint,
    publicKey: `${key.line} ${name}`,
    createdAt: isoTime(clock.now()),
  }
  const tags: readonly Tag[] = specifiedTags(specs, {
    account: record.account,
    resource: record.id,
    resourceType: 'key-pair',
  })
  await store.transaction(async (tx) => {
    if ((await tx.insertKeyPair(record)) === 'exists')
      throw refused('InvalidKeyPair.Duplicate', `The keypair '${name}' already exists.`)
    await tx.putTags(tags)
  })
  return {
    KeyPairId: record.id,
    KeyName: name,
    KeyFingerprint: record.fingerprint,
    ...tagged(tagsView(tags, record.id)),
  }
}

const describeSchema = z.strictObject({
  ...filterShape,
  KeyNames: z.array(z.string().max(NAME_MAX_LENGTH)).max(IDS_MAX).default([]),
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

const deleteSchema = z.strictObject({
  ...dryRunShape,
  KeyName: z.string().max(NAME_MAX_LENGTH).optional(),
  KeyPairId: keyId.optional(),
})

/** DeleteKeyPair: succeeds, as EC2 does, when there is no such key. What a running instance has of it stays there. */
export const deleteKeyPair: Action = {
  name: 'DeleteKeyPair',
  async run(call): Promise<DeleteKeyPairResult> {
    const input = parseInput(deleteSchema, call.input)
    if (input.KeyName === undefined && input.KeyPairId === undefined)
      throw refused('MissingParameter', 'The request must contain KeyName or KeyPairId')
    return await call.parts.store.transaction(async (tx) => {
      const keys = await tx.keyPairs({ account: call.caller.account })
      const key = keys.find(
        ({ id, name }) =>
          (input.KeyPairId === undefined || id === input.KeyPairId) &&
          (input.KeyName === undefined || name === input.KeyName),
      )
      dryRun(call)
      if (key === undefined) return { Return: true }
      await tx.deleteKeyPair(key.id)
      await tx.deleteTagsOf(key.id)
      return { Return: true, KeyPairId: key.id }
    })
  },
}
