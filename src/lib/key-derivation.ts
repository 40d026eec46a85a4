/**
 * Derives a key for each purpose from the cluster's secret. A derived key reveals nothing about the
 * secret or about other keys.
 *
 * HKDF-SHA256 (RFC 5869) with the salt `atoll` and the info `atoll/1/<purpose>`. The secret itself
 * is never used as a key or password, and never sent. HKDF does not slow down guessing, so the
 * secret must be random.
 */
import { hkdfSync } from 'node:crypto'

/**
 * Purposes of derived keys: `ca` signs the hosts' certificates, `bus` authenticates messages
 * between hosts, `records` encrypts secrets in the records. `mariadb`, `galera` (state transfers),
 * `rabbitmq` and `erlang` (the cookie) are credentials for the engines. `failover` authenticates
 * what hosts ask each other before one takes over the instances of another. `storage` names
 * the cloud on shared storage. `ceph-mon` and `ceph-admin` are keys of a Ceph cluster that
 * scripts/install sets up.
 */
export const PURPOSES = [
  'ca',
  'mariadb',
  'galera',
  'rabbitmq',
  'erlang',
  'bus',
  'records',
  'fabric',
  'failover',
  'storage',
  'ceph-mon',
  'ceph-admin',
] as const

/** A purpose of a derived key. */
export type Purpose = (typeof PURPOSES)[number]

const SALT = 'atoll'
const PASSWORD_BYTES = 32

/** The key of `length` bytes (at most 8,160; RFC 5869, 2.3) for this purpose. */
export function deriveKey(secret: string | Uint8Array, purpose: Purpose, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, SALT, `atoll/1/${purpose}`, length))
}

/** The key for this purpose as a password: 64 hexadecimal digits, which never need quotes. */
export function derivePassword(secret: string | Uint8Array, purpose: Purpose): string {
  return deriveKey(secret, purpose, PASSWORD_BYTES).toString('hex')
}
