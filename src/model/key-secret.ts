/**
 * The secret of an access key in its row: encrypted for that row, or in clear text where older
 * daemons must be able to read it.
 */

import type { AccessKey, AccessKeyRecord } from './account-records.ts'
import type { HostName } from './ids.ts'
import type { Host } from './records.ts'
import { areAllOf } from './version.ts'

/** Decrypts secrets: a `SecretCipher` of `lib/secret-cipher.ts`. */
interface Opener {
  open(sealed: string, place: string): string | null
}

/** Prefix of encrypted secrets. No clear-text secret has it. */
const SEALED = 'sealed:'

/** The place that the secret of a key is bound to. */
export function placeOfKey(id: string): string {
  return `accessKeys/${id}`
}

/** Whether the secret in the record is encrypted. */
export function isSealedKey({ secret }: Pick<AccessKey, 'secret'>): boolean {
  return secret.startsWith(SEALED)
}

/** From this version on, hosts can decrypt secrets. Older ones treat any secret as clear text. */
const SEALING_VERSION = [0, 2]

/**
 * Whether all hosts that may read keys can decrypt them. `self` counts with its current version,
 * even if its row has an older one.
 */
export function canAllOpen(
  hosts: readonly Pick<Host, 'name' | 'state' | 'version'>[],
  self: HostName,
): boolean {
  return areAllOf(SEALING_VERSION, hosts, self)
}

const ACCESS_KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A new key pair in AWS's format: AKIA and 16 base-32 characters, and 40 base-64 characters. */
export function newKeySecret(
  random: (bytes: number) => Uint8Array,
): Pick<AccessKey, 'id' | 'secret'> {
  const letters = Array.from(random(16), (byte) => ACCESS_KEY_ALPHABET.charAt(byte % 32))
  return { id: `AKIA${letters.join('')}`, secret: Buffer.from(random(30)).toString('base64') }
}

/** The status of a key that is accepted. */
export function activeStatus({ rights }: Pick<AccessKeyRecord, 'rights'>): 'active' | 'limited' {
  return rights === 'policies' ? 'limited' : 'active'
}

/** The key with its secret in clear text. Null when it cannot be decrypted. */
export function openedKey(key: AccessKey, opener: Opener | null): AccessKey | null {
  const { id, account, user, userPath, userId } = key
  const secret = isSealedKey(key) ? (opener?.open(key.secret, placeOfKey(id)) ?? null) : key.secret
  if (secret === null) return null
  const opened = {
    ...{ id, secret, account, user },
    ...(userPath === undefined ? {} : { userPath }),
    ...(userId === undefined ? {} : { userId }),
  }
  return key.rights === 'policies' ? { ...opened, rights: key.rights } : opened
}
