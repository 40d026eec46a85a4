/**
 * Hosts: which machine uses a name, its capacity, and how much of it is allocated. Conditional
 * statements decide. A host's row also has the generation of its own part (`scope.ts`).
 */
import {
  type ExpressionBuilder,
  type ExpressionWrapper,
  type Kysely,
  type RawBuilder,
  type SqlBool,
  sql,
} from 'kysely'
import { z } from 'zod'
import type { HostName } from '../../model/ids.ts'
import type { Host, Instance, PeerHost } from '../../model/records.ts'
import { ofAll, ofHost } from '../scope.ts'
import { count, host, ip, label, moment, name, prose, reached, size, VCPUS_MAX } from './columns.ts'
import { activeUnlessDraining, drainingSince } from './draining.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { isLive } from './lists.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'
import { type VolumeTables, volumesGiB } from './volume.ts'

/** A host with its lease. Both times are by the store's clock, in milliseconds. */
type HostRow = Omit<Host, 'live'> & {
  readonly leaseUntilMs: number
  /** When its part of the records last changed. */
  readonly changedAtMs: number
  /** Advances of the generation that named their scopes. Those of an older daemon did not. */
  readonly scopedGeneration: number
}

/** The columns that everybody uses. The address is one that other machines can reach. */
const peerSchema = z.object({
  name: host,
  identity: name.nullable(),
  life: name.nullable(),
  state: z.enum(['active', 'draining', 'forgotten']),
  generation: count,
  fabricAddress: ip
    .refine(
      (text) => !/^(?:0|127|2(?:2[4-9]|[3-5]\d))\.|^169\.254\./.test(text),
      'is not the address of a machine',
    )
    .nullable(),
})
const hostSchema = peerSchema.extend({
  zone: label,
  version: prose,
  vcpus: z.int().min(0).max(VCPUS_MAX),
  memoryMiB: size,
  diskGiB: size.nullable(),
  usedVcpus: size,
  usedMemoryMiB: size,
  usedDiskGiB: size,
  shortOf: prose.nullable(),
  drainingSinceMs: moment.nullable().optional(),
  fenceLevel: label.nullable().optional(),
  ...reached,
  lastSeenAt: prose,
  leaseUntilMs: count,
  changedAtMs: count,
  scopedGeneration: count,
})

const tables = {
  hosts: table<HostRow>({
    name: 'hosts',
    key: ['name'],
    host: 'name',
    cached: false,
    schema: hostSchema,
    // Only whether its lease was valid when the copy was made.
    copied: (row, nowMs) => ({
      ...row,
      leaseUntilMs: Number(row.leaseUntilMs) >= nowMs ? Number.MAX_SAFE_INTEGER : 0,
    }),
  }),
}
export type HostTables = RowsOf<typeof tables>
/** Columns of other nouns. */
interface Others {
  readonly instances: Pick<Instance, 'id' | 'host' | 'state'> & { readonly claimed: number }
}
type Tables = HostTables & VolumeTables & Others

/** Hosts with the time of reading, which makes every row a new one. */
const timed: RowShape<HostRow & { readonly nowMs: number }> = {
  ...tables.hosts,
  schema: hostSchema.extend({ nowMs: count }),
}
/** Hosts, with the columns that all others use. */
export const PEERS: RowShape<Pick<HostRow, keyof PeerHost>> = {
  name: 'peers',
  key: ['name'],
  host: 'name',
  schema: peerSchema,
}

/** A host as its own daemon announces it. */
export type HostAnnouncement = Omit<
  Host,
  | 'state'
  | 'live'
  | 'usedVcpus'
  | 'usedMemoryMiB'
  | 'usedDiskGiB'
  | 'generation'
  | 'identity'
  | 'life'
  | 'drainingSinceMs'
> &
  HostSelf

/** Which machine a host is. */
export interface HostSelf {
  readonly name: HostName
  readonly identity: string
  /** Absent where no other machine can have these records. */
  readonly run?: HostRun
}

/**
 * One run of a machine's daemon (the column is called `life`). Copies of a disk have the same
 * identity. Only the copy that knows the recorded run may continue.
 */
export interface HostRun {
  /** The current run, or the next one. */
  readonly own: string
  /** The run before, proven to be this machine's by something that a copy of its disk lacks. */
  readonly proven: string | null
  /** The runs that this disk remembers. Null: any run may continue. */
  readonly known: readonly string[] | null
}

/** The noun. */
export const hosts = noun({
  tables,
  reads: ({ db, nowMs, rows }: Session<Tables>) => ({
    async hosts(names?: readonly HostName[]): Promise<readonly Host[]> {
      const all = db.selectFrom('hosts').selectAll().select(nowMs.as('nowMs')).orderBy('name')
      const query = all.where('state', '!=', 'forgotten')
      const found = await inParts(names, (part) =>
        part === undefined ? query.execute() : query.where('name', 'in', part).execute(),
      )
      return rows.parse(timed, found).map(hostFromRow)
    },
  }),
  writes: (session: Session<Tables>) => ({ ...writeLives(session), ...writeCapacity(session) }),
  touches: {
    upsertHost: (_session, { name }) => [ofHost(name), ofAll(name)],
    renewLease: nobody,
    setHostState: (_session, host) => [ofHost(host), ofAll(host)],
    takeCapacity: (_session, host) => [ofHost(host)],
    returnCapacity: (_session, host) => [ofHost(host)],
    expectGeneration: (_session, host) => [ofHost(host)],
  },
  inCopy: {
    upsertHost: null,
    renewLease: null,
    setHostState: always,
    takeCapacity: null,
    returnCapacity: null,
    expectGeneration: null,
  },
})

/** Writes which machine a host is, and its lease. */
function writeLives(session: Session<Tables>) {
  const { db, nowMs } = session
  const updateHost = updaterOf(db)
  const leaseOf = (ms: number) => sql<number>`${nowMs} + ${ms}`
  return {
    /**
     * Creates or updates a host's row with a lease. Keeps `state` (but a forgotten host becomes
     * active) and `used…` (but counts the disk again, because older daemons may have ended
     * volumes). `taken`, with nothing changed, while another machine has a lease under the name or
     * instances that it started: then only forgetting the host frees the name. A machine of the
     * same identity counts as another one if its run may not follow the recorded one.
     */
    async upsertHost(host: HostAnnouncement, leaseMs: number): Promise<'done' | 'taken'> {
      const { name, zone, version, vcpus, memoryMiB, diskGiB, fabricAddress, identity } = host
      const { lastSeenAt, shortOf, fenceLevel = null, storage = null, storageAddress } = host
      const life = host.run?.own ?? null
      const machine = { zone, version, vcpus, memoryMiB, diskGiB, fabricAddress, identity, life }
      const heard = { lastSeenAt, shortOf, fenceLevel, storage, leaseUntilMs: leaseOf(leaseMs) }
      const said = { ...machine, ...heard, ...(storageAddress && { storageAddress }) }
      const row = { name, ...said, ...NEW_HOST, changedAtMs: nowMs }
      if ((await insertOr('exists', db, 'hosts', row)) === 'done') return advanced(session, name)
      const { numUpdatedRows } = await updateHost(name)
        .where(mayLiveUnder(host, nowMs))
        .set({
          ...said,
          ...advancing(session, name),
          // From now on this host's daemon names scopes.
          scopedGeneration: session.advances.has(name) ? sql.ref('generation') : next('generation'),
          state: activeUnlessDraining,
          usedDiskGiB: volumesGiB(db, name),
        })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? advanced(session, name) : 'taken'
    },
    /**
     * Extends the lease to `leaseMs` from now, with what the host reports. `unknown` when this
     * machine has no such host any more: announce it.
     */
    async renewLease(
      { name, identity, run }: HostSelf,
      leaseMs: number,
      said: Pick<Host, 'shortOf' | 'lastSeenAt' | 'fenceLevel' | 'storage' | 'storageAddress'>,
    ): Promise<'done' | 'unknown'> {
      const { numUpdatedRows } = await updateHost(name)
        .where('state', '!=', 'forgotten')
        .where('identity', '=', identity)
        .$if(run !== undefined, (update) => update.where('life', '=', run?.own ?? null))
        .set({ ...said, leaseUntilMs: leaseOf(leaseMs) })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'unknown'
    },
    /** `unknown` when there is no such host. */
    async setHostState(host: HostName, state: Host['state']): Promise<'done' | 'unknown'> {
      const { numUpdatedRows } = await updateHost(host)
        .where('state', '!=', 'forgotten')
        .set({ ...drainingSince(state, nowMs), ...advancing(session, host), state })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? advanced(session, host) : 'unknown'
    },
    /**
     * Advances the host's generation if it is still this one. `changed`: something else in the
     * host's part has advanced it.
     */
    async expectGeneration(host: HostName, generation: number): Promise<'done' | 'changed'> {
      if (session.advances.has(host)) return 'changed'
      const { numUpdatedRows } = await updateHost(host)
        .where('generation', '=', generation)
        .set(advancedBy(nowMs))
        .executeTakeFirstOrThrow()
      if (numUpdatedRows !== 1n) return 'changed'
      session.advances.add(host)
      return 'done'
    },
  }
}

/** The capacity that placement allocates. */
function writeCapacity(session: Session<Tables>) {
  const updateHost = updaterOf(session.db)
  return {
    /**
     * Allocates capacity for an instance in one conditional statement. `full` if the host is not
     * active, short of something, or has too little. `diskGiB` is for volumes.
     */
    async takeCapacity(
      host: HostName,
      vcpus: number,
      memoryMiB: number,
      diskGiB = 0,
    ): Promise<'done' | 'full'> {
      const { numUpdatedRows } = await updateHost(host)
        .where('state', '=', 'active')
        .where('shortOf', 'is', null)
        .where(sql<boolean>`${sql.ref('usedVcpus')} + ${vcpus} <= ${sql.ref('vcpus')}`)
        .where(sql<boolean>`${sql.ref('usedMemoryMiB')} + ${memoryMiB} <= ${sql.ref('memoryMiB')}`)
        .where(({ eb, or }) =>
          or([
            eb('diskGiB', 'is', null),
            // A request without a disk fits on a host without free disk.
            ...(diskGiB === 0 ? [sql<boolean>`1 = 1`] : []),
            sql<boolean>`${sql.ref('usedDiskGiB')} + ${diskGiB} <= ${sql.ref('diskGiB')}`,
          ]),
        )
        .set((row) => ({
          usedVcpus: row('usedVcpus', '+', vcpus),
          usedDiskGiB: row('usedDiskGiB', '+', diskGiB),
          usedMemoryMiB: row('usedMemoryMiB', '+', memoryMiB),
          ...advancing(session, host),
        }))
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? advanced(session, host) : 'full'
    },
    /** Returns capacity. It never falls below zero. */
    async returnCapacity(
      host: HostName,
      vcpus: number,
      memoryMiB: number,
      diskGiB = 0,
    ): Promise<void> {
      await updateHost(host)
        .set({
          usedVcpus: lessButNotNegative('usedVcpus', vcpus),
          usedMemoryMiB: lessButNotNegative('usedMemoryMiB', memoryMiB),
          usedDiskGiB: lessButNotNegative('usedDiskGiB', diskGiB),
          ...advancing(session, host),
        })
        .execute()
      advanced(session, host)
    },
  }
}

/** `max(0, column - amount)`. The function's name differs between engines. */
function lessButNotNegative(column: 'usedVcpus' | 'usedMemoryMiB' | 'usedDiskGiB', amount: number) {
  const ref = sql.ref(column)
  return sql<number>`case when ${ref} > ${amount} then ${ref} - ${amount} else 0 end`
}

/**
 * Whether this machine may use the name of a row: its own, without a machine, forgotten, or of
 * another machine that has no lease and has started nothing.
 */
function mayLiveUnder({ name, identity, run }: HostSelf, nowMs: RawBuilder<number>) {
  return ({ and, eb, exists, not, or, selectFrom }: ExpressionBuilder<Tables, 'hosts'>) =>
    or([
      and([eb('identity', '=', identity), or(succession(run, eb, and, nowMs))]),
      eb('identity', 'is', null),
      eb('state', '=', 'forgotten'),
      and([
        eb('identity', '!=', identity),
        eb('leaseUntilMs', '<', nowMs),
        not(
          exists(
            selectFrom('instances')
              .select('id')
              .where('host', '=', name)
              .where('claimed', '=', 1)
              .where(isLive('instances.state')),
          ),
        ),
      ]),
    ])
}

/**
 * Runs that may be followed: the own one, the proven one before it and, once the lease has expired,
 * one that this disk remembers.
 */
function succession(
  life: HostRun | undefined,
  eb: ExpressionBuilder<Tables, 'hosts'>,
  and: ExpressionBuilder<Tables, 'hosts'>['and'],
  nowMs: RawBuilder<number>,
): ExpressionWrapper<Tables, 'hosts', SqlBool>[] {
  if (life === undefined) return [and([])]
  const isOver = eb('leaseUntilMs', '<', nowMs)
  const { own, proven, known } = life
  return [
    eb('life', 'is', null),
    eb('life', 'in', [own, ...(proven === null ? [] : [proven])]),
    known === null ? isOver : and([isOver, eb('life', 'in', [own, ...known])]),
  ]
}

/** Begins an update of one host. */
function updaterOf(db: Kysely<Tables>) {
  return (host: HostName) => db.updateTable('hosts').where('name', '=', host)
}

function next(column: 'generation' | 'scopedGeneration') {
  return sql<number>`${sql.ref(column)} + 1`
}

/** Advances a host's generation. */
export function advancedBy(nowMs: RawBuilder<number>) {
  return {
    // This one first, because MariaDB sets columns one after another.
    scopedGeneration: next('scopedGeneration'),
    generation: next('generation'),
    changedAtMs: nowMs,
  }
}

/** The same within another update of the row. Empty if this transaction has done it before. */
function advancing({ advances, nowMs }: Session<Tables>, host: HostName) {
  return advances.has(host) ? {} : advancedBy(nowMs)
}

/** Notes that the statement was executed. */
function advanced({ advances }: Session<Tables>, host: HostName): 'done' {
  advances.add(host)
  return 'done'
}

/** A host from its row and the store's time of reading. */
function hostFromRow(row: HostRow & { readonly nowMs: number }): Host {
  const { leaseUntilMs, changedAtMs: _at, scopedGeneration: _scoped, nowMs, ...host } = row
  return { ...host, live: Number(leaseUntilMs) >= Number(nowMs) }
}

/** The initial values of columns that `upsertHost` later keeps. */
const NEW_HOST = {
  state: 'active',
  usedVcpus: 0,
  usedMemoryMiB: 0,
  usedDiskGiB: 0,
  generation: 1,
  scopedGeneration: 1,
} as const
