/**
 * The credentials of an instance's role, as its metadata shows them.
 *
 * This host makes them of its want, so no request waits for the records: it seals a token with the
 * key that all hosts derive from the cluster's secret, which is in the memory of the daemon alone.
 * A host that gets a request with them reads whether the instance still has the role
 * (`api/accounts/keyring.ts`), so they end with the association and with the role.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
 */
import type { InstanceId } from '../../model/ids.ts'
import { isoSeconds } from '../../model/iso-time.ts'
import type { ProfileRoleWant } from '../../model/profile-want.ts'
import {
  newSession,
  type TemporaryCredentials,
  type TokenCipher,
} from '../../model/session-token.ts'
import type { InstanceWant } from '../../model/want.ts'
import { documentsOf, type RoleCredentials } from './role-documents.ts'

/** What credentials are made with. */
export interface CredentialParts {
  /** Null: the hosts share no secret, and instances get no credentials. */
  readonly cipher: TokenCipher | null
  readonly random: (bytes: number) => Uint8Array
}

/** How long they are valid. EC2's are for about six hours. */
const VALID_MS = 6 * 3_600_000
/**
 * When new ones are made. SDKs ask for new ones up to 15 minutes before the end, and give what they
 * got to programs that use it for an hour.
 */
const RENEWED_MS = 3_600_000

/** Credentials that were made. */
interface Made extends TemporaryCredentials {
  /** Of the role. Another role, also one of the same name, gets others. */
  readonly role: string
  readonly atMs: number
}

/** Nothing is made at first. */
export function createRoleCredentials({ cipher, random }: CredentialParts): RoleCredentials {
  const made = new Map<InstanceId, Made>()

  function current(
    key: TokenCipher,
    { id: instance, account }: InstanceWant,
    { name, id }: ProfileRoleWant,
    nowMs: number,
  ): Made {
    const known = made.get(instance)
    const ageMs = known === undefined ? Number.NaN : nowMs - known.atMs
    // A negative age: the clock was set back.
    if (known?.role === id && ageMs >= 0 && ageMs < RENEWED_MS) return known
    const role = { name, id, session: instance, policies: [] }
    const fresh = newSession(key, random, {
      subject: { kind: 'role', account, role, instance },
      expiresAtMs: nowMs + VALID_MS,
    })
    const now = { ...fresh, role: id, atMs: nowMs }
    made.set(instance, now)
    return now
  }

  return {
    of: (instance) =>
      documentsOf(
        instance,
        cipher === null
          ? null
          : (role, nowMs) => credentialsOf(current(cipher, instance, role, nowMs)),
      ),
    keep(instances) {
      const there = new Map(instances.map(({ id, profile }) => [id, profile?.role?.id]))
      for (const [id, { role }] of made) if (there.get(id) !== role) made.delete(id)
    },
  }
}

function credentialsOf({ id, secret, token, atMs }: Made): object {
  return {
    ...{ Code: 'Success', LastUpdated: isoSeconds(atMs), Type: 'AWS-HMAC' },
    ...{ AccessKeyId: id, SecretAccessKey: secret, Token: token },
    Expiration: isoSeconds(atMs + VALID_MS),
  }
}
