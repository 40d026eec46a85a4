/**
 * A server that poses as an engine: its certificate is signed by the cluster's CA, but for another
 * host.
 *
 * Before, mysql2 accepted any certificate of the CA from a server that is named by its address, so
 * the key of one host was enough to pose as every database and receive the password. Here the
 * server's certificate is valid for `localhost` and another address, as those of all other hosts
 * are.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertificateFiles,
  certificateFiles,
  ensureCertificates,
} from '../../src/lib/certificates.ts'
import { openMariadbStore } from '../../src/store/engines/mariadb/dialect.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { administer, type Mariadb, PASSWORD, startMariadb, USER } from '../../tools/kit/mariadb.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type RabbitNode, startRabbit } from '../../tools/kit/rabbit.ts'
import { openTestBus } from '../../tools/kit/rabbit-bus.ts'

let directory: string
let own: CertificateFiles
let mariadb: Mariadb
let broker: RabbitNode

async function certificate(host: string, address: string): Promise<CertificateFiles> {
  const identity = { names: [host, 'localhost'], addresses: [address] }
  const at = join(directory, host)
  await ensureCertificates({ secret: 'c'.repeat(64), directory: at, identity, nowMs: Date.now() })
  return certificateFiles(at)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-wire-engines-'))
  own = await certificate('own', '127.0.0.1')
  const other = await certificate('other', '10.9.9.9')
  broker = await startRabbit(other)
  await promisify(execFile)('chown', ['-R', 'mysql', directory])
  mariadb = await startMariadb([
    `--ssl-ca=${other.ca}`,
    `--ssl-cert=${other.cert}`,
    `--ssl-key=${other.key}`,
  ])
  await administer(mariadb.directory, 'create database atoll')
}, 120_000)
afterAll(async () => {
  await mariadb?.end()
  await broker?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

describe('a database with the certificate of another host', () => {
  const open = (node: string) =>
    openMariadbStore({
      nodes: [node],
      database: 'atoll',
      user: USER,
      password: PASSWORD,
      tls: { to: 'all', ...own },
      log: silentLog,
    })

  it('is refused by its address, at every attempt', async () => {
    const store = await open(mariadb.node)
    for (let round = 0; round < 3; round += 1)
      await expect(store.read((tx) => tx.hosts())).rejects.toMatchObject({ kind: 'unavailable' })
    await store.close()
  })

  it('is accepted for a name in its certificate', async () => {
    const store = await open(mariadb.node.replace('127.0.0.1', 'localhost'))
    await store.migrate()
    expect((await store.read((tx) => tx.instanceTypes())).length).toBeGreaterThan(0)
    await store.close()
  })
})

describe('a broker with the certificate of another host', () => {
  it('is refused by its address', async () => {
    const tried: string[] = []
    const note = (_fields: object, message: string) => tried.push(message)
    const log = { debug: note, info: note, warn: note, error: note, child: () => log }
    const end = openTestBus('host-1', [broker.address], { tls: { to: 'all', ...own }, log })
    await eventually('it was tried again', () => tried.length > 1, 20_000)
    expect(tried).not.toContain('the message bus is connected')
    await end.bus.close()
  })

  it('is accepted for a name in its certificate', async () => {
    const address = broker.address.replace('127.0.0.1', 'localhost')
    const end = openTestBus('host-1', [address], { tls: { to: 'all', ...own } })
    await eventually('it is connected', () => end.bus.node() !== null, 30_000)
    await end.bus.close()
  })
})
