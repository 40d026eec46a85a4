/**
 * How the programs around a Galera node ask the other nodes' MariaDB: as the user of the records,
 * with this host's certificate.
 */
import { readFileSync } from 'node:fs'
import { certificateFiles } from '../../src/lib/certificates.ts'

/** Who asks, and by which files both sides know each other. */
export interface Access {
  readonly port: number
  readonly user: string
  readonly password: string
  /** Directory with ca.crt, host.crt and host.key; null: by TCP in clear, as tests do. */
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
 * Throws when the file with the password cannot be read or the port is none. An empty
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

/**
 * The files' contents, read anew for each connection, as they are renewed while a program waits.
 */
export function readTls(directory: string): {
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
} {
  const { ca, cert, key } = certificateFiles(directory)
  return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
}
