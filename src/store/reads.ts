/**
 * Reading records with Kysely: the `ReadTx` of one transaction, on any engine.
 *
 * Every list is ordered by its key, so that paging and plans are stable. Lists of ids may be of any length: they are put
 * to the engine in parts of limited size and of few different sizes, so that the number of distinct statements is small.
 */
import type { Kysely, RawBuilder } from 'kysely'
import type { HostName } from '../model/ids.ts'
import { readDump } from './dump.ts'
import { inParts } from './records/in-parts.ts'
import type { RowReader } from './records/rows.ts'
import { readVolumes } from './records/volume.ts'
import type { ReadTx } from './store.ts'
import {
  accountFromRow,
  hostFromRow,
  instanceFromRow,
  nicsFromRows,
  placedNicsFromRows,
  subnetFromRow,
  type Tables,
  vpcFromRow,
} from './tables.ts'

/** What one query of NICs restricts, whole or in part. */
type NicQuery = Parameters<ReadTx['nics']>[0]

/** The reading half of a transaction in `db`. `nowMs` is the engine's clock in a query (`dialects.ts`). */
export function readTx(db: Kysely<Tables>, nowMs: RawBuilder<number>, rows: RowReader): ReadTx {
  return {
    ...readHouse(db, rows),
    ...readHosts(db, nowMs, rows),
    ...readNetworks(db, rows),
    ...readWorkloads(db, rows),
    ...readVolumes(db, rows),
    ...readLabels(db, rows),
    dump: () => readDump(db, nowMs),
    unreadable: () => rows.unreadable,
  }
}

function readHouse(
  db: Kysely<Tables>,
  rows: RowReader,
): Pick<ReadTx, 'accounts' | 'accessKey' | 'accessKeys' | 'instanceTypes' | 'clientToken'> {
  return {
    accounts: async () =>
      rows
        .parse('accounts', await db.selectFrom('accounts').selectAll().orderBy('id').execute())
        .map(accountFromRow),
    async accessKey(id) {
      const found = await db.selectFrom('accessKeys').selectAll().where('id', '=', id).execute()
      return rows.parse('accessKeys', found)[0]
    },
    async accessKeys(account) {
      const query = db.selectFrom('accessKeys').selectAll().where('account', '=', account)
      return rows.parse('accessKeys', await query.orderBy('id').execute())
    },
    instanceTypes: async () =>
      rows.parse(
        'instanceTypes',
        await db.selectFrom('instanceTypes').selectAll().orderBy('name').execute(),
      ),
    async clientToken(account, action, token) {
      const found = await db
        .selectFrom('clientTokens')
        .selectAll()
        .where('account', '=', account)
        .where('action', '=', action)
        .where('token', '=', token)
        .execute()
      return rows.parse('clientTokens', found)[0]
    },
  }
}

function readHosts(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
  rows: RowReader,
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
      return rows.parse('hosts', found).map(hostFromRow)
    },
    async changedHosts(sinceMs, self) {
      const found = await db
        .selectFrom('hosts')
        .select(['name', 'identity', 'life', 'state', 'generation', 'fabricAddress'])
        .select(nowMs.as('nowMs'))
        .orderBy('name')
        .where(({ eb, or }) =>
          or([
            eb('changedAtMs', '>=', sinceMs),
            ...(self === undefined ? [] : [eb('name', '=', self)]),
          ]),
        )
        .execute()
      return {
        hosts: rows.parse('peers', found),
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
      return (await rows.parseLong('instances', found)).map(instanceFromRow)
    },
  }
}

function readNetworks(
  db: Kysely<Tables>,
  rows: RowReader,
): Pick<ReadTx, 'vpcs' | 'subnets' | 'groups'> {
  return {
    async vpcs({ account }) {
      let query = db.selectFrom('vpcs').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      return rows.parse('vpcs', await query.execute()).map(vpcFromRow)
    },
    async subnets({ account, ids }) {
      let query = db.selectFrom('subnets').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
      return rows.parse('subnets', found).map(subnetFromRow)
    },
    async groups({ account }) {
      let query = db.selectFrom('securityGroups').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      return rows.parse('securityGroups', await query.execute())
    },
  }
}

function readWorkloads(
  db: Kysely<Tables>,
  rows: RowReader,
): Pick<ReadTx, 'images' | 'instances' | 'nics' | 'takenAddresses' | 'placedNics'> {
  return {
    async images({ account, ids }) {
      let query = db.selectFrom('images').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
      return await rows.parseLong('images', found)
    },
    async instances({ account, ids, hosts }) {
      let query = db.selectFrom('instances').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(hosts, (some) => {
        const ofHosts = some === undefined ? query : query.where('host', 'in', some)
        return inParts(ids, (part) =>
          part === undefined ? ofHosts.execute() : ofHosts.where('id', 'in', part).execute(),
        )
      })
      // Parts are by host.
      const parsed = (await rows.parseLong('instances', found)).map(instanceFromRow)
      return parsed.sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    async nics(query) {
      const found = await inParts(query.instances, (part) =>
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
        (await rows.parseLong('nics', found)).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        await rows.parseLong('nicGroups', groups),
      )
    },
    async takenAddresses(subnet, among) {
      const query = db.selectFrom('nics').select('ip').where('subnet', '=', subnet).orderBy('ip')
      const found = await inParts(among, (part) =>
        part === undefined ? query.execute() : query.where('ip', 'in', part).execute(),
      )
      // Whatever else is wrong with the NIC, the address is taken.
      return found.map(({ ip }) => ip)
    },
    async placedNics({ hosts }) {
      const found = await inParts(hosts, (part) => placedNicRows(db, part).execute())
      const parsed = await rows.parseLong('placedNics', found)
      if (parsed.length === found.length) return placedNicsFromRows(parsed)
      // A NIC that is in fewer groups than its record says is another one.
      const broken = new Set(rows.unreadable.map(({ key }) => key))
      return placedNicsFromRows(parsed.filter(({ id }) => !broken.has(id)))
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
      join
        .onRef('tags.resource', '=', 'instances.id')
        .on('tags.key', '=', 'Name')
        .on('instances.state', '=', 'running'),
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

function readLabels(db: Kysely<Tables>, rows: RowReader): Pick<ReadTx, 'keyPairs' | 'tags'> {
  return {
    async keyPairs({ account }) {
      const query = db.selectFrom('keyPairs').selectAll().where('account', '=', account)
      return await rows.parseLong('keyPairs', await query.orderBy('id').execute())
    },
    async tags({ account, resources }) {
      let query = db.selectFrom('tags').selectAll().orderBy('resource').orderBy('key')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(resources, (part) =>
        part === undefined ? query.execute() : query.where('resource', 'in', part).execute(),
      )
      return await rows.parseLong('tags', found)
    },
  }
}
