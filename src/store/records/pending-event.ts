/**
 * Events that are not published yet, and the hosts whose loss was announced.
 *
 * An event is inserted by the transaction that makes it happen (`store/cloud-events.ts`), and
 * deleted when the bus has it: a host that dies in between leaves it to the others. They concern no
 * host, and a copy has none.
 */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { z } from 'zod'
import {
  EVENT_KINDS,
  type HostPresence,
  type NoticeWord,
  type PendingEvent,
} from '../../model/cloud-event.ts'
import type { HostName, InstanceId } from '../../model/ids.ts'
import type { Instance, InstanceState } from '../../model/records.ts'
import { account, count, host, label, moment } from './columns.ts'
import { insertOr, unless } from './insert.ts'
import { nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

/** An event in the records. */
interface PendingEventRow extends PendingEvent {
  /** The host that made it happen, and publishes it. */
  readonly writer: HostName
}

const tables = {
  pendingEvents: table<PendingEventRow>({
    name: 'pendingEvents',
    key: ['kind', 'subject', 'word', 'ordinal'],
    cached: false,
    copied: 'never',
    schema: z.object({
      kind: z.enum(EVENT_KINDS),
      subject: label,
      word: label,
      ordinal: count,
      account: account.nullable(),
      atMs: moment,
      startsMs: moment.nullable().optional(),
      writer: host,
    }),
  }),
  lostHosts: table<HostPresence>({
    name: 'lostHosts',
    key: ['host'],
    cached: false,
    copied: 'never',
    schema: z.object({ host, sinceMs: count }),
  }),
}
/** Columns of other nouns. */
interface Others {
  readonly hosts: {
    readonly name: HostName
    readonly state: string
    readonly leaseUntilMs: number
  }
}
type Tables = RowsOf<typeof tables> & Others

/** Rows of hosts with the time of their lease. */
const PRESENCE: RowShape<HostPresence> = {
  name: 'hosts',
  key: ['host'],
  cached: false,
  schema: z.object({ host, sinceMs: count }),
}

type EventColumns = 'id' | 'account' | 'state' | 'bootCount'
/** Which event. */
type EventKey = Pick<PendingEvent, 'kind' | 'subject' | 'word' | 'ordinal'>
/** Deleted in one statement. */
const DELETED_AT_ONCE = 100

/** The noun. */
export const pendingEvents = noun({
  tables,
  reads: ({ db, nowMs, rows }: Session<Tables>) => ({
    /**
     * The oldest events, at most `limit`: those of one writer, or those of all that are at least
     * `ageMs` old, because their writer should have published them.
     */
    async pendingEvents(
      of: { readonly writer: HostName } | { readonly ageMs: number },
      limit: number,
    ): Promise<readonly PendingEvent[]> {
      const all = db.selectFrom('pendingEvents').selectAll().orderBy('atMs').limit(limit)
      const query =
        'writer' in of
          ? all.where('writer', '=', of.writer)
          : all.where('atMs', '<=', sql<number>`${nowMs} - ${of.ageMs}`)
      return rows.parse(tables.pendingEvents, await query.execute())
    },
    /** Hosts without a valid lease whose loss was not announced, and announced ones with one. */
    async hostPresence(): Promise<{
      readonly lost: readonly HostPresence[]
      readonly back: readonly HostPresence[]
    }> {
      const lost = await db
        .selectFrom('hosts')
        .leftJoin('lostHosts', 'lostHosts.host', 'hosts.name')
        .select(['hosts.name as host', 'hosts.leaseUntilMs as sinceMs'])
        .where('lostHosts.host', 'is', null)
        .where('hosts.state', '!=', 'forgotten')
        .where('hosts.leaseUntilMs', '<', nowMs)
        .execute()
      const back = await db
        .selectFrom('lostHosts')
        .leftJoin('hosts', 'hosts.name', 'lostHosts.host')
        .select(['lostHosts.host as host', 'lostHosts.sinceMs as sinceMs'])
        .where(({ eb, or }) =>
          or([eb('hosts.leaseUntilMs', '>=', nowMs), eb('hosts.state', '=', 'forgotten')]),
        )
        .execute()
      return { lost: rows.parse(PRESENCE, lost), back: rows.parse(PRESENCE, back) }
    },
  }),
  writes: (session: Session<Tables>) => ({
    ...noteEvents(session),
    ...deleteEvents(session),
    ...writePresence(session),
  }),
  touches: {
    noteNewInstance: nobody,
    noteInstanceState: nobody,
    noteNotice: nobody,
    noteNoticeOfHost: nobody,
    noteHostState: nobody,
    deletePendingEvents: nobody,
    trimPendingEvents: nobody,
    insertLostHost: nobody,
    deleteLostHost: nobody,
  },
  inCopy: {
    noteNewInstance: null,
    noteInstanceState: null,
    noteNotice: null,
    noteNoticeOfHost: null,
    noteHostState: null,
    deletePendingEvents: null,
    trimPendingEvents: null,
    insertLostHost: null,
    deleteLostHost: null,
  },
})

/** Notes what happens. */
function noteEvents({ db, nowMs }: Session<Tables>) {
  return {
    /** A new instance has its first state. */
    async noteNewInstance(
      { id, account: owner, state, bootCount }: Pick<Instance, EventColumns>,
      writer: HostName,
    ): Promise<void> {
      const row = { kind: 'instance-state-change', subject: id, word: state, writer } as const
      const event = { ...row, ordinal: bootCount, account: owner, atMs: nowMs }
      await insertOr('exists', db, 'pendingEvents', event)
    },
    /**
     * Call it before the change of state: nothing is noted when the instance has the state
     * already. `bootCount` is that of the change, if it changes.
     */
    async noteInstanceState(
      id: InstanceId,
      { state, bootCount }: { readonly state: InstanceState; readonly bootCount?: number },
      writer: HostName,
    ): Promise<void> {
      const ordinal = bootCount === undefined ? sql.ref('bootCount') : sql`${bootCount}`
      await noteOfInstances(db, {
        ...{ word: state, ordinal, nowMs, writer, kind: 'instance-state-change' },
        where: sql`${sql.ref('id')} = ${id} and ${sql.ref('state')} <> ${state}`,
      })
    },
    /** Its account is told this about an instance. */
    async noteNotice(
      id: InstanceId,
      { word, startsMs }: { readonly word: NoticeWord; readonly startsMs: number },
      writer: HostName,
    ): Promise<void> {
      await noteOfInstances(db, {
        ...{ word, startsMs, ordinal: nowMs, nowMs, writer, kind: 'instance-event' },
        where: sql`${sql.ref('id')} = ${id}`,
      })
    },
    /** The accounts are told this about each instance on the host that runs, or is to run. */
    async noteNoticeOfHost(of: HostName, word: NoticeWord, writer: HostName): Promise<void> {
      await noteOfInstances(db, {
        ...{ word, ordinal: nowMs, nowMs, writer, kind: 'instance-event' },
        where: sql`${sql.ref('host')} = ${of} and ${sql.ref('state')} in ('pending', 'running')`,
      })
    },
    /** `ordinal` absent: now. */
    async noteHostState(
      subject: HostName,
      word: string,
      writer: HostName,
      ordinal?: number,
    ): Promise<void> {
      const row = { kind: 'host-state-change', subject, word, account: null, writer } as const
      await insertOr('exists', db, 'pendingEvents', {
        ...row,
        ordinal: ordinal ?? nowMs,
        atMs: nowMs,
      })
    },
  }
}

/** Deletes what was published, or what nobody took. */
function deleteEvents({ db, nowMs }: Session<Tables>) {
  return {
    async deletePendingEvents(keys: readonly EventKey[]): Promise<void> {
      for (let start = 0; start < keys.length; start += DELETED_AT_ONCE)
        await db
          .deleteFrom('pendingEvents')
          .where(({ and, eb, or }) =>
            or(
              keys
                .slice(start, start + DELETED_AT_ONCE)
                .map(({ kind, subject, word, ordinal }) =>
                  and([
                    eb('kind', '=', kind),
                    eb('subject', '=', subject),
                    eb('word', '=', word),
                    eb('ordinal', '=', ordinal),
                  ]),
                ),
            ),
          )
          .execute()
    },
    /** Deletes events that are too old, and the oldest above `keep`: nobody took them. */
    async trimPendingEvents({
      keep,
      ageMs,
    }: {
      readonly keep: number
      readonly ageMs: number
    }): Promise<void> {
      const [over] = await db
        .selectFrom('pendingEvents')
        .select('atMs')
        .orderBy('atMs', 'desc')
        .limit(1)
        .offset(keep)
        .execute()
      await db
        .deleteFrom('pendingEvents')
        .where(({ eb, or }) =>
          or([
            eb('atMs', '<', sql<number>`${nowMs} - ${ageMs}`),
            ...(over === undefined ? [] : [eb('atMs', '<=', over.atMs)]),
          ]),
        )
        .execute()
    },
  }
}

function writePresence({ db }: Session<Tables>) {
  return {
    /** `exists`: another host was faster. */
    insertLostHost: (lost: HostPresence) => insertOr('exists', db, 'lostHosts', lost),
    /** `missing`: another host was faster. */
    async deleteLostHost({ host: name }: HostPresence): Promise<'done' | 'missing'> {
      const { numDeletedRows } = await db
        .deleteFrom('lostHosts')
        .where('host', '=', name)
        .executeTakeFirstOrThrow()
      return numDeletedRows === 1n ? 'done' : 'missing'
    },
  }
}

/** Notes an event of each instance that the condition selects. One that is there stays as it is. */
async function noteOfInstances(
  db: Kysely<Tables>,
  event: {
    readonly kind: PendingEvent['kind']
    readonly word: string
    readonly ordinal: RawBuilder<unknown>
    readonly nowMs: RawBuilder<number>
    readonly startsMs?: number
    readonly writer: HostName
    readonly where: RawBuilder<unknown>
  },
): Promise<void> {
  const { kind, word, ordinal, nowMs, startsMs = null, writer, where } = event
  const columns = ['subject', 'account', 'kind', 'word', 'ordinal', 'atMs', 'startsMs', 'writer']
  await unless('duplicate', 'exists', () =>
    sql`insert into ${sql.table('pendingEvents')} (${sql.join(columns.map((one) => sql.ref(one)))})
      select ${sql.ref('id')}, ${sql.ref('account')}, ${kind}, ${word}, ${ordinal}, ${nowMs}, ${startsMs}, ${writer}
      from ${sql.table('instances')} where ${where}`.execute(db),
  )
}
