/**
 * Instances. An instance concerns its host, and only if it should change there. A state that the
 * host itself reported concerns nobody, unless the instance's Name tag begins or ceases to resolve.
 *
 * Conditional statements decide which host may start an instance.
 */
import { z } from 'zod'
import type { AccountId, HostName, InstanceId } from '../../model/ids.ts'
import type { InstanceOptions } from '../../model/instance-options.ts'
import type { InstanceChange } from '../../model/lifecycle.ts'
import type { Host, Image, Instance, Volume } from '../../model/records.ts'
import { ofHost, type Scope } from '../scope.ts'
import { checkSchema } from './check-columns.ts'
import {
  account,
  count,
  driver,
  flag,
  host,
  id,
  label,
  name,
  PROSE_MAX,
  prose,
  time,
} from './columns.ts'
import type { HostSelf } from './host.ts'
import { inParts, isOf } from './in-parts.ts'
import { optionsFromColumn } from './instance-options.ts'
import {
  changeToColumns,
  type InstanceRow,
  instanceFromRow,
  instanceToRow,
} from './instance-row.ts'
import { INSTANCES_BY_ID, INSTANCES_BY_LAUNCH, type InstanceRestriction, isLive } from './lists.ts'
import { metadataSchema } from './metadata.ts'
import { always, isThere, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import { type PartQuery, readPart } from './part.ts'
import type { RecordLocations } from './record-locations.ts'
import { recoverySchema } from './recovery-columns.ts'

/** 16 KiB in base64, with the line breaks that some encoders insert (RFC 2045: one in 76). */
const USER_DATA_MAX = 24_576

const tables = {
  instances: table<InstanceRow>({
    name: 'instances',
    instance: 'id',
    schema: z.object({
      id: id('i'),
      account,
      reservation: id('r'),
      launchIndex: count,
      image: id('ami'),
      type: label,
      driver,
      host,
      keyName: name.nullable(),
      userData: z
        .string()
        .max(USER_DATA_MAX)
        .regex(/^[\w+/=\s-]*$/)
        .nullable(),
      state: z.enum(['pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped']),
      wanted: z.enum(['run', 'stop', 'terminate']),
      bootCount: count,
      claimed: flag,
      bootSeen: count,
      transitionReason: prose,
      stateReasonCode: prose.nullable(),
      stateReasonMessage: prose.nullable(),
      clientToken: prose.nullable(),
      launchedAt: time,
      terminatedAt: time.nullable(),
      options: z
        .string()
        .max(PROSE_MAX)
        .nullable()
        .refine((column) => optionsFromColumn(column) !== undefined, 'are no options'),
      ...metadataSchema,
      ...recoverySchema,
      ...checkSchema,
    }),
  }),
}
/** How rows of instances are parsed. */
export const INSTANCES = tables.instances
/** Columns of other nouns. */
interface Others {
  readonly hosts: Pick<Host, 'name' | 'identity'> & {
    readonly life: string | null
    readonly leaseUntilMs: number
  }
  readonly images: Pick<Image, 'host'>
  readonly volumes: Pick<Volume, 'instance'>
}
type Tables = RowsOf<typeof tables> & Others

/**
 * The records to list. Fields are joined by AND, members of a list by OR. An absent field does not
 * restrict.
 */
interface InstanceQuery {
  readonly account?: AccountId
  readonly ids?: readonly InstanceId[]
  readonly hosts?: readonly HostName[]
  /** Those that are not terminated. The records of others are kept for an hour. */
  readonly live?: true
}

/** Fields that the host reports of an instance. */
const SEEN_FIELDS: ReadonlySet<string> = new Set<keyof InstanceChange>([
  'state',
  'bootSeen',
  'transitionReason',
  'stateReason',
  'launchedAt',
  'terminatedAt',
  'check',
  // The host uses the record itself for these. A profile is given by `associateProfile`.
  'options',
])

/** The noun. */
export const instances = noun({
  tables,
  reads: (session: Session<Tables>) => ({
    async instances({ account, ids, hosts, live }: InstanceQuery): Promise<readonly Instance[]> {
      let query = session.db.selectFrom('instances').selectAll()
      if (account !== undefined)
        query = query.where(isOf('instances.account', account, ids !== undefined))
      if (live === true) query = query.where(isLive('instances.state'))
      const found = await inParts(hosts, (some) => {
        const ofHosts = some === undefined ? query : query.where('host', 'in', some)
        return inParts(ids, (part) =>
          part === undefined ? ofHosts.execute() : ofHosts.where('id', 'in', part).execute(),
        )
      })
      // In no order: for one, SQLite would prefer an index that finds nothing.
      return (await parsed(session, found)).toSorted((a, b) => (a.id < b.id ? -1 : 1))
    },
    /** How many instances in each state a host has. */
    async instanceCounts(host: HostName): Promise<Readonly<Record<string, number>>> {
      const found = await session.db
        .selectFrom('instances')
        .select('state')
        .select(({ fn }) => fn.countAll<number | bigint | string>().as('count'))
        .where('host', '=', host)
        .groupBy('state')
        .execute()
      return Object.fromEntries(found.map(({ state, count: of }) => [state, Number(of)]))
    },
    /**
     * Instances of a host that have been terminated for longest, those up to a time (ISO 8601), at
     * most `limit`.
     */
    async terminatedInstances(
      host: HostName,
      until: string,
      limit: number,
    ): Promise<readonly Instance[]> {
      const found = await session.db
        .selectFrom('instances')
        .selectAll()
        .where('host', '=', host)
        .where('state', '=', 'terminated')
        .where('terminatedAt', '<=', until)
        .orderBy('terminatedAt')
        .limit(limit)
        .execute()
      return await parsed(session, found)
    },
    /** A part of the list by id. */
    instancePart: (query: PartQuery<InstanceRestriction>) =>
      readPart<InstanceId, InstanceRestriction>(session.db, INSTANCES_BY_ID, query),
    /** A part of the list by reservation, launch index and id. */
    launchPart: (query: PartQuery<InstanceRestriction>) =>
      readPart<InstanceId, InstanceRestriction>(session.db, INSTANCES_BY_LAUNCH, query),
    /**
     * Unclaimed instances on hosts with an expired lease, at most `limit`. One that has run was
     * claimed, even if the records have lost that.
     */
    async orphans(limit: number): Promise<readonly Instance[]> {
      const found = await session.db
        .selectFrom('instances')
        .innerJoin('hosts', 'hosts.name', 'instances.host')
        .selectAll('instances')
        .where('instances.claimed', '=', 0)
        .where('instances.bootSeen', '=', 0)
        .where(isLive('instances.state'))
        .where('instances.wanted', '!=', 'stop')
        .where('hosts.leaseUntilMs', '<', session.nowMs)
        .orderBy('instances.id')
        .limit(limit)
        .execute()
      return await parsed(session, found)
    },
  }),
  writes: ({ db, nowMs, where }: Session<Tables>) => ({
    async insertInstance(instance: Instance): Promise<void> {
      await db.insertInto('instances').values(instanceToRow(instance)).execute()
      where.launched(instance.id, instance.host)
      where.isRunning(instance.id, instance.state === 'running')
    },
    async updateInstance(id: InstanceId, change: InstanceChange): Promise<void> {
      const columns = changeToColumns(change)
      if (Object.keys(columns).length === 0) return
      await db.updateTable('instances').set(columns).where('id', '=', id).execute()
      if (change.state !== undefined) where.isRunning(id, change.state === 'running')
    },
    /** Gives the instance options with another instance profile, of which its host is told. */
    async associateProfile(id: InstanceId, options: InstanceOptions): Promise<void> {
      const columns = changeToColumns({ options })
      await db.updateTable('instances').set(columns).where('id', '=', id).execute()
    },
    /**
     * Deletes the record after its tombstone time, with what is left of its volumes. Its NICs are
     * already gone.
     */
    async deleteInstance(id: InstanceId): Promise<void> {
      await db.deleteFrom('volumes').where('instance', '=', id).execute()
      await db.deleteFrom('instances').where('id', '=', id).execute()
    },
    /**
     * Claims an instance, just before its first start. `lost` when it is no longer this host's, is
     * not to run, or the host's own lease has expired.
     */
    async claimInstance(id: InstanceId, self: HostSelf): Promise<'done' | 'lost'> {
      const { name: host, identity, run } = self
      const { numUpdatedRows } = await db
        .updateTable('instances')
        .set({ claimed: 1 })
        .where('id', '=', id)
        .where('host', '=', host)
        .where('wanted', '=', 'run')
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('hosts')
              .select('name')
              .where('name', '=', host)
              .where('identity', '=', identity)
              .$if(run !== undefined, (query) => query.where('life', '=', run?.own ?? null))
              .where('leaseUntilMs', '>=', nowMs),
          ),
        )
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
    /**
     * Gives an unclaimed instance to another host. `lost` when it was claimed, moved or ended
     * meanwhile, or has run.
     */
    async moveInstance(id: InstanceId, from: HostName, to: HostName): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('instances')
        .set({ host: to })
        .where('id', '=', id)
        .where('host', '=', from)
        .where('claimed', '=', 0)
        .where('bootSeen', '=', 0)
        .where('wanted', '=', 'run')
        .executeTakeFirstOrThrow()
      if (numUpdatedRows !== 1n) return 'lost'
      where.isAt(id, to)
      return 'done'
    },
    /** Gives the terminated instances and the images of a host to another one. */
    async inherit(from: HostName, to: HostName): Promise<void> {
      await db.updateTable('images').set({ host: to }).where('host', '=', from).execute()
      await db
        .updateTable('instances')
        .set({ host: to })
        .where('host', '=', from)
        .where('state', '=', 'terminated')
        .execute()
    },
  }),
  touches: {
    insertInstance: (_session, { host }) => [ofHost(host)],
    updateInstance: touchedByChange,
    associateProfile: async ({ where }, id) => (await where.hostOf(id)).map(ofHost),
    // It was terminated before, so no host has anything of it.
    deleteInstance: nobody,
    claimInstance: (_session, _id, { name }) => [ofHost(name)],
    moveInstance: async (session, id, from, to) => [
      ofHost(from),
      ofHost(to),
      ...(await session.where.membersOf(id, from)),
      ...(await session.where.membersOf(id, to)),
    ],
    inherit: (_session, from, to) => [ofHost(from), ofHost(to)],
  },
  inCopy: {
    insertInstance: async (tx, { id }) => isThere(tx.instances({ ids: [id] })),
    updateInstance: async (tx, id) => isThere(tx.instances({ ids: [id] })),
    associateProfile: async (tx, id) => isThere(tx.instances({ ids: [id] })),
    deleteInstance: always,
    claimInstance: always,
    moveInstance: async (tx, id) => isThere(tx.instances({ ids: [id] })),
    inherit: always,
  },
})

async function parsed(
  { rows, where }: Session<Tables>,
  found: readonly object[],
): Promise<readonly Instance[]> {
  const instances = (await rows.parseLong(tables.instances, found)).map(instanceFromRow)
  for (const { id, host, state } of instances) {
    where.isAt(id, host)
    where.isRunning(id, state === 'running')
  }
  return instances
}

async function touchedByChange(
  { where }: Session<Tables>,
  id: InstanceId,
  change: InstanceChange,
): Promise<readonly Scope[]> {
  const isSeenOnly = Object.keys(change).every((field) => SEEN_FIELDS.has(field))
  const isRenamed = await beginsOrCeasesToAnswer(where, id, change)
  if (isSeenOnly && !isRenamed) return []
  const hosts = await where.hostOf(id)
  const members = isRenamed ? hosts.map((host) => where.membersOf(id, host)) : []
  return [...hosts.map(ofHost), ...(await Promise.all(members)).flat()]
}

/** A Name tag resolves while its instance runs. */
async function beginsOrCeasesToAnswer(
  where: RecordLocations,
  id: InstanceId,
  { state }: InstanceChange,
): Promise<boolean> {
  if (state === undefined || (await where.runs(id)) === (state === 'running')) return false
  return await where.hasName(id)
}
