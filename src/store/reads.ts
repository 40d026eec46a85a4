/**
 * Reading records with Kysely: the `ReadTx` of one transaction, on any engine.
 *
 * Every list is ordered by its key, so that paging and plans are stable. Lists of ids may be of any length: they are put
 * to the engine in parts of limited size and of few different sizes, so that the number of distinct statements is small.
 */
import type { Kysely, RawBuilder } from 'kysely'
import type { HostName } from '../model/ids.ts'
import { readDump } from './dump.ts'
import { inParts } from './in-parts.ts'
import type { ReadTx } from './store.ts'
import {
  hostFromRow,
  instanceFromRow,
  nicsFromRows,
  placedNicsFromRows,
  subnetFromRow,
  type Tables,
  vpcFromRow,
} from './tables.ts'
import { readVolumes } from './volumes.ts'

/** What one query of NICs restricts, whole or in part. */
type NicQuery = Parameters<ReadTx['nics']>[0]

/** The reading half of a transaction in `db`. `nowMs` is the engine's clock in a query (`dialects.ts`). */
export function readTx(db: Kysely<Tables>, nowMs: RawBuilder<number>): ReadTx {
  return {
    ...readHouse(db),
    ...readHosts(db, nowMs),
    ...readNetworks(db),
    ...readWorkloads(db),
    ...readVolumes(db),
    ...readLabels(db),
    dump: () => readDump(db, nowMs),
  }
}

function readHouse(
  db: Kysely<Tables>,
): Pick<ReadTx, 'accounts' | 'accessKey' | 'accessKeys' | 'instanceTypes' | 'clientToken'> {
  return {
    accounts: () => db.selectFrom('accounts').selectAll().orderBy('id').execute(),
    accessKey: (id) =>
      db.selectFrom('accessKeys').selectAll().where('id', '=', id).executeTakeFirst(),
    accessKeys: (account) =>
      db
        .selectFrom('accessKeys')
        .selectAll()
        .where('account', '=', account)
        .orderBy('id')
        .execute(),
    instanceTypes: () => db.selectFrom('instanceTypes').selectAll().orderBy('name').execute(),
    clientToken: (account, action, token) =>
      db
        .selectFrom('clientTokens')
        .selectAll()
        .where('account', '=', account)
        .where('action', '=', action)
        .where('token', '=', token)
        .executeTakeFirst(),
  }
}

function readHosts(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
): Pick<ReadTx, 'hosts' | 'changedHosts' | 'orphans'> {
  return {
    async hosts() {
      const found = await db
        .selectFrom('hosts')
        .selectAll()
        .select(nowMs.as('nowMs'))
        .orderBy('name')
        .where('state', '!=', 'forgotten')
        .execute()
      return found.map(hostFromRow)
    },
    async changedHosts(sinceMs, self) {
      const found = await db
        .selectFrom('hosts')
        .select(['name', 'identity', 'state', 'generation', 'fabricAddress', nowMs.as('nowMs')])
        .orderBy('name')
        .where(({ eb, or }) =>
          or([
            eb('changedAtMs', '>=', sinceMs),
            ...(self === undefined ? [] : [eb('name', '=', self)]),
          ]),
        )
        .execute()
      return {
        hosts: found.map(({ nowMs: _nowMs, ...host }) => host),
        nowMs: Number(found[0]?.nowMs ?? sinceMs),
      }
    },
    async orphans(limit) {
      const found = await db
        .selectFrom('instances')
        .innerJoin('hosts', 'hosts.name', 'instances.host')
        .selectAll('instances')
        .where('instances.claimed', '=', 0)
        .where('instances.state', '!=', 'terminated')
        .where('instances.wanted', '!=', 'stop')
        .where('hosts.leaseUntilMs', '<', nowMs)
        .orderBy('instances.id')
        .limit(limit)
        .execute()
      return found.map(instanceFromRow)
    },
  }
}

function readNetworks(db: Kysely<Tables>): Pick<ReadTx, 'vpcs' | 'subnets' | 'groups'> {
  return {
    async vpcs({ account }) {
      let query = db.selectFrom('vpcs').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const rows = await query.execute()
      return rows.map(vpcFromRow)
    },
    async subnets({ account, ids }) {
      let query = db.selectFrom('subnets').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const rows = await inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
      return rows.map(subnetFromRow)
    },
    groups({ account }) {
      let query = db.selectFrom('securityGroups').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      return query.execute()
    },
  }
}

function readWorkloads(
  db: Kysely<Tables>,
): Pick<ReadTx, 'images' | 'instances' | 'nics' | 'takenAddresses' | 'placedNics'> {
  return {
    images({ account, ids }) {
      let query = db.selectFrom('images').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      return inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
    },
    async instances({ account, ids, hosts }) {
      let query = db.selectFrom('instances').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const rows = await inParts(hosts, (some) => {
        const ofHosts = some === undefined ? query : query.where('host', 'in', some)
        return inParts(ids, (part) =>
          part === undefined ? ofHosts.execute() : ofHosts.where('id', 'in', part).execute(),
        )
      })
      // Parts are by host.
      return rows.map(instanceFromRow).sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    async nics(query) {
      const rows = await inParts(query.instances, (part) =>
        nicRows(db, query, part).selectAll('nics').orderBy('nics.id').execute(),
      )
      const groups = await inParts(query.instances, (part) =>
        nicRows(db, query, part)
          .innerJoin('nicGroups', 'nicGroups.nic', 'nics.id')
          .selectAll('nicGroups')
          .orderBy('nicGroups.nic')
          .orderBy('nicGroups.position')
          .execute(),
      )
      // Each part is ordered by NIC, but the parts are by instance.
      return nicsFromRows(
        rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        groups,
      )
    },
    async takenAddresses(subnet, among) {
      const query = db.selectFrom('nics').select('ip').where('subnet', '=', subnet).orderBy('ip')
      const rows = await inParts(among, (part) =>
        part === undefined ? query.execute() : query.where('ip', 'in', part).execute(),
      )
      return rows.map(({ ip }) => ip)
    },
    async placedNics({ hosts }) {
      const rows = await inParts(hosts, (part) => placedNicRows(db, part).execute())
      return placedNicsFromRows(rows)
    },
  }
}

/** A row for each group of each NIC, those of one NIC in order. */
function placedNicRows(db: Kysely<Tables>, hosts: readonly HostName[] | undefined) {
  const query = db
    .selectFrom('nics')
    .innerJoin('instances', 'instances.id', 'nics.instance')
    .leftJoin('nicGroups', 'nicGroups.nic', 'nics.id')
    .leftJoin('tags', (join) =>
      join.onRef('tags.resource', '=', 'instances.id').on('tags.key', '=', 'Name'),
    )
    .selectAll('nics')
    .select(['instances.host', 'tags.value as nameTag', 'nicGroups.group'])
    .where('instances.state', '!=', 'terminated')
    .orderBy('nics.id')
    .orderBy('nicGroups.position')
  return hosts === undefined ? query : query.where('instances.host', 'in', hosts)
}

/** The NICs of a query, ready for a selection. */
function nicRows(db: Kysely<Tables>, { account }: NicQuery, part: NicQuery['instances']) {
  let query = db.selectFrom('nics')
  if (account !== undefined) query = query.where('nics.account', '=', account)
  if (part !== undefined) query = query.where('nics.instance', 'in', part)
  return query
}

function readLabels(db: Kysely<Tables>): Pick<ReadTx, 'keyPairs' | 'tags'> {
  return {
    keyPairs: ({ account }) =>
      db.selectFrom('keyPairs').selectAll().where('account', '=', account).orderBy('id').execute(),
    tags({ account, resources }) {
      let query = db.selectFrom('tags').selectAll().orderBy('resource').orderBy('key')
      if (account !== undefined) query = query.where('account', '=', account)
      return inParts(resources, (part) =>
        part === undefined ? query.execute() : query.where('resource', 'in', part).execute(),
      )
    },
  }
}
