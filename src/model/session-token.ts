/**
 * Temporary credentials: a token has everything that a host needs to verify a request with them.
 *
 * The token is encrypted with a key that only hosts of the cloud can derive, and bound to the id of
 * the temporary key. Nothing is stored. It names what it was made of, which is read with each
 * request: the key of a user, or a role, and for an instance's credentials the instance. So the
 * credentials end when that key is disabled or deleted, the role is deleted, or the instance no
 * longer has it. Pure.
 */
import { z } from 'zod'
import type { AssumedRole, FederatedUser } from './account-records.ts'
import { refused } from './errors.ts'
import { type AccountId, type InstanceId, parseAccountId, parseId } from './ids.ts'
import { newKeySecret } from './key-secret.ts'

/** Encrypts and decrypts tokens: a `SecretCipher` of `lib/secret-cipher.ts`. */
export interface TokenCipher {
  seal(text: string, place: string): string
  open(sealed: string, place: string): string | null
}

/** What a token says, besides its secret. */
type SessionSubject = KeySession | RoleSession

/** The rights of a key. */
interface KeySession {
  readonly kind: 'key'
  /** The access key that it was made with. */
  readonly parent: string
  /** By GetFederationToken. Null: by GetSessionToken. */
  readonly federated: FederatedUser | null
}

/** The rights of a role. */
export interface RoleSession {
  readonly kind: 'role'
  readonly account: AccountId
  readonly role: Omit<AssumedRole, 'path'>
  /** The instance whose profile it came by. Null: by AssumeRole. */
  readonly instance: InstanceId | null
}

/** What a token says. */
export interface Session {
  readonly subject: SessionSubject
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
/**
 * The longest token. Requests have it in a header. With a policy of 2,048 usual characters it has
 * about 5,000.
 */
const TOKEN_MAX = 8_000
const TEXT = z.string().max(128)
const keySchema = z.tuple([z.literal(1), TEXT, TEXT, z.int().min(0)])
const policiesSchema = z.array(
  z.object({ kind: z.enum(['inline', 'managed']), name: z.string(), document: z.string() }),
)
const federatedSchema = z.tuple([
  ...([z.literal(3), TEXT, TEXT, z.int().min(0)] as const),
  z.object({ name: TEXT, policies: policiesSchema }),
])
const roleSchema = z.tuple([
  ...([z.literal(2), TEXT, z.int().min(0)] as const),
  z.object({
    account: z.string(),
    ...{ name: TEXT, id: TEXT, session: TEXT, instance: TEXT.nullable() },
    policies: policiesSchema,
  }),
])

/** Whether an access key's id is that of temporary credentials. */
export function isTemporary(id: string): boolean {
  return id.startsWith(TEMPORARY)
}

/** New credentials. Errors: `PackedPolicyTooLarge`. */
export function newSession(
  cipher: TokenCipher,
  random: (bytes: number) => Uint8Array,
  { subject, expiresAtMs }: Omit<Session, 'secret'>,
): TemporaryCredentials {
  const { id: permanent, secret } = newKeySecret(random)
  const id = `${TEMPORARY}${permanent.slice(TEMPORARY.length)}`
  const text = JSON.stringify(wordsOf(subject, secret, expiresAtMs))
  const token = cipher.seal(text, placeOf(id))
  if (token.length <= TOKEN_MAX) return { id, secret, token }
  throw refused(
    'PackedPolicyTooLarge',
    `The policies of the session make a token of ${token.length} characters; at most ${TOKEN_MAX} are possible`,
  )
}

function wordsOf(subject: SessionSubject, secret: string, expiresAtMs: number): unknown {
  if (subject.kind === 'role') {
    const { account, role, instance } = subject
    const { name, id, session, policies } = role
    return [2, secret, expiresAtMs, { account, name, id, session, instance, policies }]
  }
  const { parent, federated } = subject
  if (federated === null) return [1, parent, secret, expiresAtMs]
  return [3, parent, secret, expiresAtMs, { name: federated.name, policies: federated.policies }]
}

/** The session in a token. Undefined when it is none of this cloud, or of another temporary key. */
export function openSession(
  cipher: TokenCipher | null,
  id: string,
  token: string,
): Session | undefined {
  if (!isTemporary(id) || token.length > TOKEN_MAX) return undefined
  const text = cipher?.open(token, placeOf(id)) ?? null
  if (text === null) return undefined
  // Nobody but hosts of the cloud can seal a text, so it is JSON.
  const parsed: unknown = JSON.parse(text)
  const ofKey = keySchema.safeParse(parsed).data
  if (ofKey !== undefined) {
    const [, parent, secret, expiresAtMs] = ofKey
    return { subject: { kind: 'key', parent, federated: null }, secret, expiresAtMs }
  }
  const ofFederated = federatedSchema.safeParse(parsed).data
  if (ofFederated !== undefined) {
    const [, parent, secret, expiresAtMs, federated] = ofFederated
    return { subject: { kind: 'key', parent, federated }, secret, expiresAtMs }
  }
  const ofRole = roleSchema.safeParse(parsed).data
  if (ofRole === undefined) return undefined
  const [, secret, expiresAtMs, { account: text12, instance: named, ...role }] = ofRole
  const account = parseAccountId(text12)
  const instance = named === null ? null : parseId('i', named)
  if (account === undefined || instance === undefined) return undefined
  return { subject: { kind: 'role', account, role, instance }, secret, expiresAtMs }
}

/** The cipher. Errors: `UnsupportedOperation` where the hosts share no secret. */
export function requireCipher(cipher: TokenCipher | null | undefined): TokenCipher {
  if (cipher !== null && cipher !== undefined) return cipher
  throw refused(
    'UnsupportedOperation',
    'Temporary credentials need a secret that all hosts share: set cluster.secretFile',
  )
}

function placeOf(id: string): string {
  return `sessions/${id}`
}
