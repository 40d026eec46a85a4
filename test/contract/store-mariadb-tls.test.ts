/**
 * MariaDB over TLS: which servers and clients are trusted. The server accepts no connection without
 * TLS, and none without a certificate.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openMariadbStore } from '../../src/store/engines/mariadb/dialect.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { administer, type Mariadb, PASSWORD, startMariadb, USER } from '../../tools/kit/mariadb.ts'
import { type Certificate, makeAuthority, makeCertificate } from '../kit/certificates.ts'

const none = { to: 'none' as const, ca: null, cert: null, key: null }
const held: {
  directory?: string
  mariadb?: Mariadb
  authority?: Certificate
  stranger?: Certificate
  host?: Certificate
} = {}

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-tls-'))
  held.directory = directory
  held.authority = await makeAuthority(directory, 'authority')
  held.stranger = await makeAuthority(directory, 'stranger')
  held.host = await makeCertificate(directory, held.authority, 'host')
  const server = await makeCertificate(directory, held.authority, 'server')
  await promisify(execFile)('chown', ['-R', 'mysql', directory])
  held.mariadb = await startMariadb([
    `--ssl-ca=${held.authority.cert}`,
    `--ssl-cert=${server.cert}`,
    `--ssl-key=${server.key}`,
    '--require-secure-transport=ON',
  ])
  await administer(held.mariadb.directory, `alter user ${USER}@'%' require x509`)
  await administer(held.mariadb.directory, 'create database atoll')
}, 60_000)
afterAll(async () => {
  await held.mariadb?.end()
  if (held.directory !== undefined) await rm(held.directory, { recursive: true })
})

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the world has not begun')
  return value
}

const open = (tls: { to?: 'none'; ca: string | null; cert: string | null; key: string | null }) =>
  openMariadbStore({
    nodes: [there(held.mariadb).node],
    database: 'atoll',
    user: USER,
    password: PASSWORD,
    tls: { to: 'all', ...tls },
    log: silentLog,
  })

describe('a store over TLS', () => {
  it('serves who trusts the right authority and shows a certificate of it', async () => {
    const store = await open({ ca: there(held.authority).cert, ...there(held.host) })
    await store.migrate()
    expect((await store.read((tx) => tx.instanceTypes())).length).toBeGreaterThan(0)
    await store.close()
  })

  it.each([
    [
      'whose server is signed by a stranger',
      () => ({ ca: there(held.stranger).cert, ...there(held.host) }),
    ],
    [
      'without a certificate of its own',
      () => ({ ca: there(held.authority).cert, cert: null, key: null }),
    ],
    ['without TLS', () => none],
  ])('%s is unavailable', async (_what, tls) => {
    const store = await open(tls())
    await expect(store.read((tx) => tx.hosts())).rejects.toMatchObject({ kind: 'unavailable' })
    await store.close()
  })

  it('says which file it cannot read', async () => {
    await expect(open({ ca: '/nowhere/ca.pem', cert: null, key: null })).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('/nowhere/ca.pem'),
    })
  })
})
