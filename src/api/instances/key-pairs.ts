/**
 * What actions on key pairs share.
 *
 * Only the public key is stored, as an authorized_keys line with the key's name as comment. Formats
 * and fingerprints: `ssh-keys.ts`.
 */
import type { ImportKeyPairResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Tx } from '../../store/store.ts'
import type { Changing } from '../change.ts'
import { specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { tagged, tagsView } from '../views/tags.ts'
import type { PublicKey } from './ssh-keys.ts'

/** Longest name of a key pair, in characters. */
export const KEY_NAME_MAX_LENGTH = 255

/**
 * It also becomes part of the authorized_keys line, so it must not contain line breaks or control
 * characters.
 */
export const keyNameSchema = z
  .string()
  .min(1)
  .max(KEY_NAME_MAX_LENGTH)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'printable ASCII, no space at either end')

/** `TagSpecifications` of a new key pair. */
export const keyTagsSchema = tagSpecificationsSchema(['key-pair'])

/** A key for storing. */
interface NewKey {
  readonly name: string
  readonly key: PublicKey
  readonly tags: z.output<typeof keyTagsSchema>
}

/**
 * Stores the key and returns its description. Refuses a name that the account already has,
 * and more keys than it may have.
 */
export async function insertKey(
  tx: Tx,
  { name, key, tags: specs }: NewKey,
  { account, newId, now, settings }: Changing,
): Promise<ImportKeyPairResult> {
  const limit = settings.quotas.keyPairs
  await tx.takeTurn(account)
  if ((await tx.countKeyPairs(account)) >= limit)
    throw refused(
      'KeyPairLimitExceeded',
      `The maximum number of key pairs has been reached: ${limit}`,
    )
  const id = newId('key')
  const { type, fingerprint } = key
  const publicKey = `${key.line} ${name}`
  const record = { id, account, name, type, fingerprint, publicKey, createdAt: now }
  if ((await tx.insertKeyPair(record)) === 'exists')
    throw refused('InvalidKeyPair.Duplicate', `The keypair '${name}' already exists.`)
  const tags = specifiedTags(specs, { account, resource: id, resourceType: 'key-pair' })
  await tx.putTags(tags)
  return {
    KeyPairId: id,
    KeyName: name,
    KeyFingerprint: fingerprint,
    ...tagged(tagsView(tags, id)),
  }
}
