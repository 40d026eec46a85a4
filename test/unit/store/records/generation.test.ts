/**
 * Hosts of two versions over one database: an older daemon advances the generation of its host's
 * row and says no scope, and others must see all the same what it changed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createRecordsReader } from '../../../../src/agent/reader.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import type { HostName } from '../../../../src/model/ids.ts'
import { openSqliteStore } from '../../../../src/store/engines/sqlite/dialect.ts'
import type { Store, Tx } from '../../../../src/store/store.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { fillRecords, LONG_MS } from '../../../kit/cluster-records.ts'
import {
  hostName,
  hostRecord,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
} from '../../../kit/records.ts'

const here = hostName('here')
const there = hostName('there')
let directory: string
let store: Store
let file: DatabaseSync

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-versions-'))
  const path = join(directory, 'records.db')
  store = await openSqliteStore({ file: path, log: silentLog })
  await store.migrate()
  await fillRecords(store, [here, there])
  await store.change((tx) => launch(tx, here, 1))
  file = new DatabaseSync(path)
})
afterEach(async () => {
  file.close()
  await store.close()
  await rm(directory, { recursive: true })
})

async function launch(tx: Tx, host: HostName, number: number): Promise<void> {
  await tx.takeCapacity(host, 1, 1)
  await tx.insertInstance({ ...instanceRecord(instanceId(number), host), state: 'running' })
  await tx.insertNic(nicRecord(instanceId(number), number))
}

/**
 * The work as a daemon of `host` does it that knows no scopes: it advances its host's row alone.
 */
async function byOlderDaemon(host: HostName, work: (tx: Tx) => Promise<void>): Promise<void> {
  const scopes = file.prepare('select * from generations').all()
  const scoped = file.prepare('select scopedGeneration from hosts where name = ?').get(host)
  await store.change(work)
  file.exec('delete from generations')
  const insert = file.prepare(
    'insert into generations values (:scope, :host, :generation, :changedAtMs)',
  )
  for (const { scope, host, generation, changedAtMs } of scopes)
    insert.run({
      scope: scope ?? null,
      host: host ?? null,
      generation: generation ?? null,
      changedAtMs: changedAtMs ?? null,
    })
  file
    .prepare('update hosts set scopedGeneration = ? where name = ?')
    .run(Number(scoped?.['scopedGeneration']), host)
}

const asked = { host: here, vpcs: [network.vpc.id] }

it('what an older host changes is told by its name, until its daemon says scopes', async () => {
  const { nowMs } = await store.read((tx) => tx.changedScopes(0, asked))
  expect((await store.read((tx) => tx.changedScopes(0, asked))).older).toEqual([])
  await byOlderDaemon(there, (tx) => launch(tx, there, 2))
  const { older } = await store.read((tx) => tx.changedScopes(nowMs - 1000, asked))
  expect(older.map(({ name }) => name)).toEqual([there])
  await store.change((tx) => tx.upsertHost(hostRecord(there), LONG_MS))
  expect((await store.read((tx) => tx.changedScopes(0, asked))).older).toEqual([])
})

it('others read the members that an older host has, and no longer those that it had', async () => {
  const reader = createRecordsReader(store, here, systemClock)
  const members = async () =>
    (await reader.read({ fresh: false })).nics.map(({ instance }) => instance)
  expect(await members()).toEqual([instanceId(1)])
  await byOlderDaemon(there, (tx) => launch(tx, there, 2))
  expect(await members()).toEqual([instanceId(1), instanceId(2)])
  await byOlderDaemon(there, async (tx) => {
    await tx.deleteNics(instanceId(2))
    await tx.returnCapacity(there, 1, 1)
  })
  expect(await members()).toEqual([instanceId(1)])
})

it('others read what all must know of an older host', async () => {
  const reader = createRecordsReader(store, here, systemClock)
  const states = async () =>
    (await reader.read({ fresh: false })).hosts.map(({ name, state }) => [name, state])
  expect(await states()).toEqual([
    [here, 'active'],
    [there, 'active'],
  ])
  await byOlderDaemon(there, async (tx) => {
    await tx.setHostState(there, 'draining')
  })
  expect(await states()).toEqual([
    [here, 'active'],
    [there, 'draining'],
  ])
})
