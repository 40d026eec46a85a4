/**
 * The secret of an access key as it stands in its row: sealed for that row, or in clear where older
 * daemons have to read it.
 */
import type { HostName } from './ids.ts'
import type { AccessKey, Host } from './records.ts'

/** Opens what was sealed: a `SecretCipher` of `lib/secret-cipher.ts`. */
interface Opener {
  open(sealed: string, place: string): string | null
}

/** No secret in clear begins so. */
const SEALED = 'sealed:'

/** What the secret of a key is bound to. */
export function placeOfKey(id: string): string {
  return `accessKeys/${id}`
}

/** Whether nobody can read the secret in the records. */
export function isSealedKey({ secret }: Pick<AccessKey, 'secret'>): boolean {
  return secret.startsWith(SEALED)
}

/**
 * Hosts of this version and later can open what is sealed; older ones take any secret for one in
 * clear.
 */
const SEALING_VERSION = [0, 2]

/**
 * Whether all hosts that may look at keys can open sealed ones. `self` counts as what it is now,
 * not as what its row still says.
 */
export function canAllOpen(
  hosts: readonly Pick<Host, 'name' | 'state' | 'version'>[],
  self: HostName,
): boolean {
  return hosts.every(
    ({ name, state, version }) => name === self || state === 'forgotten' || opens(version),
  )
}

function opens(version: string): boolean {
  const parts = version.split('.').map(Number)
  for (const [index, least] of SEALING_VERSION.entries()) {
    const part = parts[index] ?? 0
    if (part !== least) return part > least
  }
  return true
}

const ACCESS_KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A key pair in AWS's shape: AKIA and 16 base-32 characters, and 40 characters of base 64. */
export function newKeySecret(
  random: (bytes: number) => Uint8Array,
): Pick<AccessKey, 'id' | 'secret'> {
  const letters = Array.from(random(16), (byte) => ACCESS_KEY_ALPHABET.charAt(byte % 32))
  return { id: `AKIA${letters.join('')}`, secret: Buffer.from(random(30)).toString('base64') }
}

/** The key with its secret in clear; null when it cannot be opened. */
export function openedKey(key: AccessKey, opener: Opener | null): AccessKey | null {
  const { id, account, user } = key
  const secret = isSealedKey(key) ? (opener?.open(key.secret, placeOfKey(id)) ?? null) : key.secret
  return secret === null ? null : { id, secret, account, user }
}
