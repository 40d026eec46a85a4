/**
 * Access to MariaDB on the other nodes, for the programs beside a Galera node: the user of the
 * records, and this host's certificate.
 */
import { readFileSync } from 'node:fs'
import { certificateFiles } from '../../src/lib/certificates.ts'

/** User and certificate of the connections. */
export interface Access {
  readonly port: number
  readonly user: string
  readonly password: string
  /** Directory with ca.crt, host.crt and host.key; null: no TLS, in tests. */
  readonly tlsDirectory: string | null
}

/** For `parseArgs` (node:util). */
export const accessOptions = {
  'password-file': { type: 'string', default: '/etc/mysql/atoll.password' },
  'tls-directory': { type: 'string', default: '/etc/mysql/atoll-tls' },
  'mysql-port': { type: 'string', default: '3306' },
  user: { type: 'string', default: 'atoll' },
} as const

/**
 * Reads the options. Throws when the password file cannot be read or the port is invalid. An empty
 * `--tls-directory` means no TLS.
 */
export function readAccess(
  values: {
    readonly [name in keyof typeof accessOptions]: string
  },
): Access {
  const port = Number(values['mysql-port'])
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error('--mysql-port must be a port')
  return {
    port,
    user: values.user,
    password: readFileSync(values['password-file'], 'utf8').trim(),
    tlsDirectory: values['tls-directory'] === '' ? null : values['tls-directory'],
  }
}

/** Reads the certificate files. To be called for each connection, because they are renewed. */
export function readTls(directory: string): {
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
} {
  const { ca, cert, key } = certificateFiles(directory)
  return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
}
