/**
 * Temporary credentials: a token has everything that a host needs to verify a request with them.
 *
 * The token is encrypted with a key that only hosts of the cloud can derive, and bound to the id of
 * the temporary key. It names the key that it was made with, whose row is read with each request.
 * So nothing is stored, and the credentials end when that key is disabled or deleted.
 */
import { z } from 'zod'
import { parseJson } from '../../lib/json.ts'
import type { SecretCipher } from '../../lib/secret-cipher.ts'
import { newKeySecret } from '../../model/key-secret.ts'

/** What a token says. */
export interface Session {
  /** The access key that it was made with. */
  readonly parent: string
  readonly secret: string
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

/** Temporary credentials, as a client gets them. */
export interface TemporaryCredentials {
  readonly id: string
  readonly secret: string
  readonly token: string
}

/** The prefix of ids of temporary keys, as in AWS. */
const TEMPORARY = 'ASIA'
/** The longest token is ours by far. */
const TOKEN_MAX = 2048
const schema = z.tuple([z.literal(1), z.string().max(128), z.string().max(128), z.int().min(0)])

/** Whether an access key's id is that of temporary credentials. */
export function isTemporary(id: string): boolean {
  return id.startsWith(TEMPORARY)
}

/** New credentials of a key. */
export function newSession(
  cipher: SecretCipher,
  random: (bytes: number) => Uint8Array,
  { parent, expiresAtMs }: Omit<Session, 'secret'>,
): TemporaryCredentials {
  const { id: permanent, secret } = newKeySecret(random)
  const id = `${TEMPORARY}${permanent.slice(TEMPORARY.length)}`
  const text = JSON.stringify([1, parent, secret, expiresAtMs])
  return { id, secret, token: cipher.seal(text, placeOf(id)) }
}

/** The session in a token. Undefined when it is none of this cloud, or of another temporary key. */
export function openSession(
  cipher: SecretCipher | null,
  id: string,
  token: string,
): Session | undefined {
  if (!isTemporary(id) || token.length > TOKEN_MAX) return undefined
  const text = cipher?.open(token, placeOf(id)) ?? null
  const parsed = text === null ? undefined : schema.safeParse(parseJson(text)).data
  if (parsed === undefined) return undefined
  const [, parent, secret, expiresAtMs] = parsed
  return { parent, secret, expiresAtMs }
}

function placeOf(id: string): string {
  return `sessions/${id}`
}
