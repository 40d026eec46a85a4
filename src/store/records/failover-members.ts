/**
 * The hosts whose answers count before one takes over the instances of another
 * (`plan/failover/membership.ts`). Each change of them is a row with the next number, so of two
 * that are made at the same time, one is. A host acknowledges the newest one that its process
 * `fence` goes by.
 */
import { z } from 'zod'
import { type HostName, parseHostName } from '../../model/ids.ts'
import { count, TEXT_MAX } from './columns.ts'
import type { HostSelf } from './host.ts'
import { insertOr } from './insert.ts'
import { nobody, noun, type RowsOf, type Session, table } from './noun.ts'

interface MembersRow {
  readonly version: number
  /** Their names, with commas between them. */
  readonly members: string
}

const BETWEEN = ','
/** The members of a cloud at most: as many as a process `fence` takes. */
const MEMBERS_MAX = 1_000

/** Null: it is no list of different hosts. */
function membersIn(text: string): readonly HostName[] | null {
  const names = text.split(BETWEEN)
  const hosts = names.flatMap((name) => parseHostName(name) ?? [])
  const isWhole = new Set(hosts).size === names.length && names.length <= MEMBERS_MAX
  return isWhole ? hosts : null
}

const tables = {
  failoverMembers: table<MembersRow>({
    name: 'failoverMembers',
    key: ['version'],
    schema: z.object({
      version: count,
      members: z
        .string()
        .max(TEXT_MAX)
        .refine((text) => membersIn(text) !== null, 'is not a list of hosts'),
    }),
  }),
}

/** Columns of other nouns. */
interface Others {
  readonly hosts: {
    readonly name: HostName
    readonly identity: string | null
    readonly life: string | null
    readonly failoverVersion: number | null
  }
}
type Tables = RowsOf<typeof tables> & Others

/** A membership as it is in the records. */
export interface FailoverMembers {
  readonly version: number
  /** In the order in which they have joined. */
  readonly members: readonly HostName[]
  /** Hosts whose process `fence` goes by this one, or has done so. */
  readonly acknowledged: ReadonlySet<HostName>
}

/** The noun. */
export const failoverMembers = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /**
     * The newest membership; undefined: there is none. Null: it cannot be read, and nobody may go
     * by an older one.
     */
    async failoverMembers(): Promise<FailoverMembers | null | undefined> {
      const query = db.selectFrom('failoverMembers').selectAll()
      const newest = await query.orderBy('version', 'desc').limit(1).execute()
      if (newest.length === 0) return undefined
      const [row] = rows.parse(tables.failoverMembers, newest)
      const members = row === undefined ? null : membersIn(row.members)
      if (row === undefined || members === null) return null
      const { version } = row
      const hosts = await db
        .selectFrom('hosts')
        .select('name')
        .where('failoverVersion', '>=', version)
        .execute()
      const acknowledged = new Set(hosts.flatMap(({ name }) => parseHostName(name) ?? []))
      return { version, members, acknowledged }
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /**
     * Makes this the newest membership. The rule is the caller's, by what the same transaction has
     * read (`mayFollow`). `exists`: somebody else has made one with its number.
     */
    async changeFailoverMembers(
      version: number,
      members: readonly HostName[],
    ): Promise<'done' | 'exists'> {
      const row = { version, members: members.join(BETWEEN) }
      const outcome = await insertOr('exists', db, 'failoverMembers', row)
      // The one before shows people what has changed.
      if (outcome === 'done')
        await db
          .deleteFrom('failoverMembers')
          .where('version', '<', version - 1)
          .execute()
      return outcome
    },
    /** Says what this machine goes by. `lost` when the host's row is another machine's. */
    async acknowledgeFailoverMembers(
      { name, identity, run }: HostSelf,
      version: number,
    ): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('hosts')
        .set({ failoverVersion: version })
        .where('name', '=', name)
        .where('identity', '=', identity)
        .$if(run !== undefined, (update) => update.where('life', '=', run?.own ?? null))
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
  }),
  // No want has them: a loop of each host reads them (`agent/failover-members.ts`).
  touches: { changeFailoverMembers: nobody, acknowledgeFailoverMembers: nobody },
  inCopy: { changeFailoverMembers: null, acknowledgeFailoverMembers: null },
})
