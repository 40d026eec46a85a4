/**
 * Hosts: who lives under a name, what it has and what is taken of it, decided by conditional
 * statements alone. A host's row also has the generation of its own part (`scope.ts`).
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
import { count, host, ip, label, name, prose, size, VCPUS_MAX } from './columns.ts'
import { insertOr } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'
import { type VolumeTables, volumesGiB } from './volume.ts'

/** A host with its lease. Both times are the store's own, in milliseconds since the epoch. */
type HostRow = Omit<Host, 'live'> & {
  readonly leaseUntilMs: number
  /** When something in its part of the records last changed. */
  readonly changedAtMs: number
  /** How many advances of the generation said their scopes: an older daemon's did not. */
  readonly scopedGeneration: number
}

/** What everybody goes by of a host; the address is one of a machine that others can reach. */
const peerSchema = z.object({
  name: host,
  identity: name.nullable(),
  life: name.nullable(),
  state: z.enum(['active', 'draining', 'forgotten']),
  generation: count,
  fabricAddress: ip
    .refine(
      (text) => !/^(?:0|127|2(?:2[4-9]|[3-5]\d))\.|^169\.254\./.test(text),
      'is no address of a machine',
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
    // Whether its lease was live when the copy was made, for good.
    copied: (row, nowMs) => ({
      ...row,
      leaseUntilMs: Number(row.leaseUntilMs) >= nowMs ? Number.MAX_SAFE_INTEGER : 0,
    }),
  }),
}
export type HostTables = RowsOf<typeof tables>
/** Columns of others. */
interface Others {
  readonly instances: Pick<Instance, 'id' | 'host' | 'state'> & { readonly claimed: number }
}
type Tables = HostTables & VolumeTables & Others

/** Hosts with the store's clock at the time of reading, which makes every row another one. */
const timed: RowShape<HostRow & { readonly nowMs: number }> = {
  ...tables.hosts,
  schema: hostSchema.extend({ nowMs: count }),
}
/** Hosts in the columns that all other hosts go by. */
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
> &
  HostSelf

/** A host as which machine it is. */
export interface HostSelf {
  readonly name: HostName
  readonly identity: string
  /** Left out: whoever has the identity is this host, as where no other machine can have these records. */
  readonly run?: HostRun
}

/**
 * A life of a machine is one run of its daemon. Copies of a disk have the same identity, but only one of them lives: the records have the
 * life that came last, and it is gone on from by whoever knows it.
 */
export interface HostRun {
  /** The one that is lived now, or is to be. */
  readonly own: string
  /** The one before, proved to be this machine's by what no copy of its disk has. */
  readonly proven: string | null
  /** Those that this disk remembers; null: it may be any. */
  readonly known: readonly string[] | null
}

/** The noun. */
export const hosts = noun({
  tables,
  reads: ({ db, nowMs, rows }: Session<Tables>) => ({
    async hosts(): Promise<readonly Host[]> {
      const found = await db
        .selectFrom('hosts')
        .selectAll()
        .select(nowMs.as('nowMs'))
        .orderBy('name')
        .where('state', '!=', 'forgotten')
        .execute()
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

/** Who a host is, and whether it lives. */
function writeLives(session: Session<Tables>) {
  const { db, nowMs } = session
  const updateHost = updaterOf(db)
  const leaseOf = (ms: number) => sql<number>`${nowMs} + ${ms}`
  return {
    /**
     * Makes or refreshes a host's row, everything but `state` and `used…`, which it keeps (a forgotten one is active again; the used disk is
     * counted anew, because daemons that know no volumes may have ended some), and gives it a lease. `taken`, with nothing changed, while
     * another machine holds a lease under the name or has instances that it started: only forgetting the host frees the name then. Another
     * machine is also one of the same identity whose life this one does not go on from.
     */
    async upsertHost(host: HostAnnouncement, leaseMs: number): Promise<'done' | 'taken'> {
      const { name, zone, version, vcpus, memoryMiB, diskGiB, fabricAddress, identity } = host
      const { lastSeenAt, shortOf } = host
      const life = host.run?.own ?? null
      const machine = { zone, version, vcpus, memoryMiB, diskGiB, fabricAddress, identity, life }
      const said = { ...machine, lastSeenAt, shortOf, leaseUntilMs: leaseOf(leaseMs) }
      const row = { name, ...said, ...NEW_HOST, changedAtMs: nowMs }
      if ((await insertOr('exists', db, 'hosts', row)) === 'done') return advanced(session, name)
      const { numUpdatedRows } = await updateHost(name)
        .where(mayLiveUnder(host, nowMs))
        .set({
          ...said,
          ...advancing(session, name),
          // From here on this host's daemon says scopes.
          scopedGeneration: session.advances.has(name) ? sql.ref('generation') : next('generation'),
          state: activeUnlessDraining,
          usedDiskGiB: volumesGiB(db, name),
        })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? advanced(session, name) : 'taken'
    },
    /**
     * Lets the lease end in `leaseMs` from now, by the store's clock, and keeps what the host says with it. `unknown` when there is no such
     * host of this machine (any more): announce it.
     */
    async renewLease(
      { name, identity, run }: HostSelf,
      leaseMs: number,
      said: Pick<Host, 'shortOf' | 'lastSeenAt'>,
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
        .set({ ...advancing(session, host), state })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? advanced(session, host) : 'unknown'
    },
    /**
     * Advances the host's generation if it still is this one. `done`: nobody else has changed
     * anything in the host's part since, and it is one more now. `changed`: somebody has, or this
     * transaction itself has advanced it before.
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

/** What placement hands out of a host. */
function writeCapacity(session: Session<Tables>) {
  const updateHost = updaterOf(session.db)
  return {
    /**
     * Takes capacity for one instance if the host is active, short of nothing and has it, in one conditional statement. `full` otherwise.
     * `diskGiB` is for volumes.
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
            // Whoever asks for none is welcome on a host whose disk is handed out.
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
    /** Gives it back, never below zero. */
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

/** `max(0, column - amount)`, whose name differs between engines. */
function lessButNotNegative(column: 'usedVcpus' | 'usedMemoryMiB' | 'usedDiskGiB', amount: number) {
  const ref = sql.ref(column)
  return sql<number>`case when ${ref} > ${amount} then ${ref} - ${amount} else 0 end`
}

/**
 * Whether this machine may have the name whose row is there: it is its own, nobody's, forgotten, or
 * of another machine that neither lives nor has started anything.
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
              .where('state', '!=', 'terminated'),
          ),
        ),
      ]),
    ])
}

/**
 * Whose life a machine of the same identity may go on from: its own, the one that it was in before on the same boot, and one that its disk
 * remembers, once nobody lives it any more.
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

/** Begins a change of one host. */
function updaterOf(db: Kysely<Tables>) {
  return (host: HostName) => db.updateTable('hosts').where('name', '=', host)
}

function next(column: 'generation' | 'scopedGeneration') {
  return sql<number>`${sql.ref(column)} + 1`
}

/** Advances a host's generation, which says that something in its part of the records changed. */
export function advancedBy(nowMs: RawBuilder<number>) {
  return {
    // The first, because MariaDB sets columns one after the other.
    scopedGeneration: next('scopedGeneration'),
    generation: next('generation'),
    changedAtMs: nowMs,
  }
}

/** The same for a statement that changes the host's row anyway; nothing when it was done before. */
function advancing({ advances, nowMs }: Session<Tables>, host: HostName) {
  return advances.has(host) ? {} : advancedBy(nowMs)
}

/** That statement has happened. */
function advanced({ advances }: Session<Tables>, host: HostName): 'done' {
  advances.add(host)
  return 'done'
}

/** A host from its row and the store's clock at the time of reading. */
function hostFromRow(row: HostRow & { readonly nowMs: number }): Host {
  const { leaseUntilMs, changedAtMs: _at, scopedGeneration: _scoped, nowMs, ...host } = row
  return { ...host, live: Number(leaseUntilMs) >= Number(nowMs) }
}

/** What a host's row starts with and `upsertHost` then keeps. */
const NEW_HOST = {
  state: 'active',
  usedVcpus: 0,
  usedMemoryMiB: 0,
  usedDiskGiB: 0,
  generation: 1,
  scopedGeneration: 1,
} as const

/** A host that was forgotten and comes back is an ordinary one; a draining one goes on draining. */
const activeUnlessDraining = sql<
  Host['state']
>`case when state = 'draining' then 'draining' else 'active' end`
