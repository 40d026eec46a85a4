/**
 * Finds the access keys that requests are signed with, and decrypts their secrets.
 *
 * Each request reads the key, so a disabled or deleted key is refused at once on every host that
 * reaches the database. A host that is cut off uses its replica, for a limited time.
 */

import { createBoundedMap } from '../../lib/bounded-map.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { SecretCipher } from '../../lib/secret-cipher.ts'
import type { AccessKey, Role } from '../../model/account-records.ts'
import { refused, unavailable } from '../../model/errors.ts'
import { openedKey } from '../../model/key-secret.ts'
import { isTemporary, openSession, type RoleSession } from '../../model/session-token.ts'
import type { InformedStore } from '../../store/replica-reads.ts'
import type { ReadTx } from '../../store/store.ts'

/** Finds keys, and records that they were used. */
export interface Keyring {
  /**
   * The key with its secret in clear text. Undefined when it does not exist, is disabled or of a
   * disabled account, or cannot be decrypted. With a token: temporary credentials. Errors:
   * `unavailable`, also when the known keys are too old, or too old to prove that a key does not
   * exist; `RequestExpired` after the time of a token.
   */
  find(id: string, token: string | null): Promise<AccessKey | undefined>
  /**
   * The id of the key that must exist: that of temporary credentials is the one that they were made
   * with. `sealed`: they are a role's, and a host of the cloud has made them. Undefined when the
   * token is not valid for the id.
   */
  permanent(id: string, token: string | null): { readonly key: string } | 'sealed' | undefined
  /** A request with this key was authenticated. */
  used(id: string): void
}

/** What a keyring needs. */
export interface KeyringOptions {
  readonly store: InformedStore
  readonly clock: Clock
  /** Null: secrets are stored in clear text. */
  readonly sealer: SecretCipher | null
  /** Maximum age of a replica that may be used. */
  readonly replicaMs: number
  readonly log?: Log
}

/** Each host records a key's use once an hour. */
const USE_MS = 3_600_000
/** Number of keys whose recorded use is remembered, so that it is not written again. */
const USED_LIMIT = 4_096

/** A keyring of these records. */
export function createKeyring(options: KeyringOptions): Keyring {
  const { store, clock, sealer, replicaMs, log } = options
  const usedAt = createBoundedMap<string, number>(USED_LIMIT)
  const open = createOpener(sealer)

  function expectYoung(asOf: string): void {
    // One from the future: the clock was set back, so nobody knows its age.
    if (Math.abs(clock.now() - Date.parse(asOf)) <= replicaMs) return
    throw unavailable(
      `The database is unreachable, and this host's copy of the access keys is too old to use (from ${asOf}; setting api.replicaKeysSeconds)`,
    )
  }

  async function findPermanent(id: string): Promise<AccessKey | undefined> {
    const { value: key, asOf } = await store.read((tx) => tx.accessKey(id))
    if (asOf !== null) {
      expectYoung(asOf)
      // The key may have been created since. The client is not authenticated, so the lookup does
      // not wait for the records.
      if (key === undefined)
        throw unavailable(
          'The database is unreachable, and this host does not know the access key; try again.',
        )
    }
    if (key === undefined || key.status === 'disabled') return undefined
    if (key.accountStatus === 'disabled') return undefined
    const opened = openedKey(key, open)
    if (opened === null)
      log?.error(
        { accessKey: id },
        'the secret of an access key cannot be decrypted: make a new key with atoll keys rotate',
      )
    return opened ?? undefined
  }

  return {
    async find(id, token) {
      if (token === null) return isTemporary(id) ? undefined : await findPermanent(id)
      const session = openSession(sealer, id, token)
      if (session === undefined) return undefined
      const { subject, secret, expiresAtMs } = session
      if (expiresAtMs <= clock.now())
        throw refused(
          'RequestExpired',
          `Request has expired: the session token expired at ${isoTime(expiresAtMs)}`,
        )
      if (subject.kind === 'role')
        return await findRole(store, expectYoung, subject, { id, secret })
      const key = await findPermanent(subject.parent)
      const federated = subject.federated === null ? {} : { federated: subject.federated }
      return key && { ...key, id, secret, parent: subject.parent, ...federated }
    },
    permanent(id, token) {
      if (token === null) return { key: id }
      const subject = openSession(sealer, id, token)?.subject
      return subject?.kind === 'key' ? { key: subject.parent } : subject && 'sealed'
    },
    used(id) {
      const hour = Math.floor(clock.now() / USE_MS) * USE_MS
      if ((usedAt.get(id) ?? 0) >= hour) return
      usedAt.set(id, hour)
      // Nobody waits for it, and one missing hour does no harm.
      Promise.try(() =>
        store.change((tx) => tx.updateAccessKey(id, { lastUsedAt: isoTime(hour) })),
      ).catch(() => undefined)
    },
  }
}

/** The credentials of a role that is still there, and that the instance still has. */
async function findRole(
  store: InformedStore,
  expectYoung: (asOf: string) => void,
  session: RoleSession,
  { id, secret }: Pick<AccessKey, 'id' | 'secret'>,
): Promise<AccessKey | undefined> {
  const { account } = session
  const { value: role, asOf } = await store.read((tx) => roleOf(tx, session))
  if (asOf !== null) expectYoung(asOf)
  if (asOf !== null && role === undefined)
    throw unavailable(
      'The database is unreachable, and this host does not know the role of these credentials; try again.',
    )
  if (role === undefined) return undefined
  const assumed = { ...session.role, path: role.path }
  const user = `${role.name}/${assumed.session}`
  return { id, secret, account, user, rights: 'policies', role: assumed }
}

/** The role of a session. Undefined when nothing may be done with it any more. */
async function roleOf(
  tx: ReadTx,
  { account, role: { name, id }, instance }: RoleSession,
): Promise<Role | undefined> {
  const owner = await tx.account(account)
  const role = await tx.role(account, name)
  if (owner?.status !== 'active' || role?.id !== id) return undefined
  if (instance === null) return role
  const [one] = await tx.instances({ account, ids: [instance] })
  const profile = one?.state === 'terminated' ? null : one?.options?.profile
  if (!profile) return undefined
  const [known] = await tx.profileRoles([profile.id])
  return known?.roleId === id ? role : undefined
}

/** Number of decrypted secrets that are remembered. */
const OPENED_LIMIT = 4_096

/** Decrypts each secret once. What it is decrypted from and for never means anything else. */
function createOpener(sealer: SecretCipher | null): Pick<SecretCipher, 'open'> | null {
  if (sealer === null) return null
  const opened = createBoundedMap<string, string>(OPENED_LIMIT)
  return {
    open(sealed, place) {
      const name = `${place} ${sealed}`
      const secret = opened.get(name) ?? sealer.open(sealed, place)
      if (secret !== null) opened.set(name, secret)
      return secret
    },
  }
}

/** The given keyring, or one for secrets in clear text. */
export function keyringOf({
  keys,
  store,
  clock,
}: {
  readonly keys?: Keyring
  readonly store: InformedStore
  readonly clock: Clock
}): Keyring {
  return keys ?? createKeyring({ store, clock, sealer: null, replicaMs: Number.POSITIVE_INFINITY })
}
