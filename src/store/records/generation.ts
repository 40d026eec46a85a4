/**
 * Generations of scopes: they advance when something in a scope changes (`scope.ts`).
 *
 * A transaction advances each scope that it touched once, in its last statements. The generation of
 * a host's own part is in the host's row. Most changes write that row anyway, and advance it in the
 * same statement. All other scopes have a row here: the VPC, account or `all`, and the host whose
 * part it is (empty if there is none).
 */
import { type ExpressionBuilder, sql } from 'kysely'
import { z } from 'zod'
import { assertNever } from '../../model/errors.ts'
import { type AccountId, type HostName, parseId, type VpcId } from '../../model/ids.ts'
import type { PeerHost } from '../../model/records.ts'
import { ofHost, type Scope } from '../scope.ts'
import { account, count, host, id } from './columns.ts'
import { advancedBy, type HostTables, PEERS } from './host.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const ALL = 'all'
/** The host of a scope that belongs to no single host. */
const NO_HOST = ''

/** No scope: nobody reads these rows (`takeTurn`). */
const TURN = 'turn '
type Turn = `${typeof TURN}${AccountId}`

interface GenerationRow {
  readonly scope: VpcId | AccountId | typeof ALL | Turn
  readonly host: HostName | typeof NO_HOST
  readonly generation: number
  readonly changedAtMs: number
}

const turn = z
  .string()
  .regex(new RegExp(`^${TURN}\\d+$`))
  .transform((text) => text as Turn)
const tables = {
  generations: table<GenerationRow>({
    name: 'generations',
    key: ['scope', 'host'],
    // Readers of a copy do not ask for changes.
    copied: 'never',
    schema: z.object({
      scope: z.union([id('vpc'), account, z.literal(ALL), turn]),
      host: z.union([host, z.literal(NO_HOST)]),
      generation: count,
      changedAtMs: count,
    }),
  }),
}
type Tables = RowsOf<typeof tables> & HostTables & { readonly vpcs: { readonly id: VpcId } }

/** The scopes that a reader depends on. */
interface ScopesOf {
  readonly host: HostName
  readonly vpcs: readonly VpcId[]
  readonly accounts?: readonly AccountId[]
  /** Whether to include `all`, which has a row for each host of the cloud. True by default. */
  readonly all?: boolean
}

/** A scope that changed. */
interface ScopeGeneration {
  readonly scope: Scope
  readonly generation: number
}

interface ChangedScopes {
  /** The reading host, with the generation of its own part. Undefined when it has no row. */
  readonly own: PeerHost | undefined
  readonly scopes: readonly ScopeGeneration[]
  /**
   * Hosts whose records an older daemon changed without naming a scope. If their generation is new,
   * everything about them and their members must be read again.
   */
  readonly older: readonly PeerHost[]
  /** The time of this reading by the store's clock, in milliseconds since the epoch. */
  readonly nowMs: number
}

/** The noun. */
export const generations = noun({
  tables,
  reads: (session: Session<Tables>) => ({
    /**
     * Those of these scopes that changed at or after `sinceMs` by the store's clock, in one
     * statement. A change becomes visible only at its commit, so ask for some seconds before the
     * last answer's `nowMs`.
     */
    async changedScopes(sinceMs: number, of: ScopesOf): Promise<ChangedScopes> {
      const found = await changedRows(session, sinceMs, of).execute()
      const hostRows = found.filter(({ scope }) => scope === null)
      const peers = session.rows.parse(PEERS, hostRows)
      return {
        own: peers.find(({ name }) => name === of.host),
        older: peers.filter(({ name }) => name !== of.host),
        scopes: session.rows
          .parse(
            tables.generations,
            found.flatMap(({ scope, name: host, ...row }) =>
              scope === null ? [] : [{ ...row, scope, host }],
            ),
          )
          .map((row) => ({ scope: scopeOf(row), generation: row.generation })),
        nowMs: Number(found[0]?.nowMs ?? sinceMs),
      }
    },
    /**
     * What all hosts know of these hosts, or of every host when absent. Includes forgotten ones.
     */
    async peerHosts(names?: readonly HostName[]): Promise<readonly PeerHost[]> {
      const query = session.db
        .selectFrom('hosts')
        .select(['name', 'identity', 'life', 'state', 'generation', 'fabricAddress'])
        .orderBy('name')
      const found = await inParts(names, (part) =>
        part === undefined ? query.execute() : query.where('name', 'in', part).execute(),
      )
      return session.rows.parse(PEERS, found)
    },
  }),
  writes: (session: Session<Tables>) => ({
    /**
     * Call it before counting an account's records against a limit. Of two transactions that do so
     * at the same moment, one is run again and counts what the other has made.
     */
    async takeTurn(account: AccountId): Promise<void> {
      await advanceRows(session, [{ scope: `${TURN}${account}`, host: NO_HOST }])
    },
    /** Advances the generation of a host beyond this one. `newer`: it is beyond it already. */
    async overtakeGeneration(host: HostName, known: number): Promise<'done' | 'newer'> {
      const { numUpdatedRows } = await session.db
        .updateTable('hosts')
        .where('name', '=', host)
        .where('generation', '<=', known)
        .set({
          // This one first, because MariaDB sets columns one after another.
          scopedGeneration: sql<number>`scopedGeneration + ${known + 1} - generation`,
          generation: known + 1,
          changedAtMs: session.nowMs,
        })
        .executeTakeFirstOrThrow()
      if (numUpdatedRows !== 1n) return 'newer'
      session.advances.add(host)
      return 'done'
    },
    /**
     * Deletes those of VPCs that are no more, and have not changed for so long: a host may read for
     * some time what has just been deleted.
     */
    async deleteGenerationsOfGoneVpcs(unchangedForMs: number): Promise<void> {
      const { db, nowMs } = session
      await db
        .deleteFrom('generations')
        .where('scope', 'like', 'vpc-%' as VpcId)
        .where('changedAtMs', '<', sql<number>`${nowMs} - ${unchangedForMs}`)
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('vpcs').select('id').whereRef('id', '=', 'generations.scope'))),
        )
        .execute()
    },
  }),
  touches: {
    takeTurn: nobody,
    overtakeGeneration: (_session, host) => [ofHost(host)],
    deleteGenerationsOfGoneVpcs: nobody,
  },
  inCopy: { takeTurn: null, overtakeGeneration: null, deleteGenerationsOfGoneVpcs: null },
})

/**
 * Uses the columns of a host's row: its own scope has none, and its name stands for the scope's
 * host.
 */
function changedRows({ db, nowMs }: Session<Tables>, sinceMs: number, of: ScopesOf) {
  const { vpcs, accounts = [], all = true } = of
  const scopes = [...vpcs, ...accounts, ...(all ? ([ALL] as const) : [])]
  const none = sql<null>`null`
  return db
    .selectFrom('hosts')
    .select(['name', 'identity', 'life', 'state', 'generation', 'fabricAddress', 'changedAtMs'])
    .select([sql<GenerationRow['scope'] | null>`null`.as('scope'), nowMs.as('nowMs')])
    .where(({ and, eb, or, ref }) =>
      or([
        eb('name', '=', of.host),
        and([eb('changedAtMs', '>=', sinceMs), eb('generation', '!=', ref('scopedGeneration'))]),
      ]),
    )
    .unionAll(
      db
        .selectFrom('generations')
        .select('host as name')
        .select([none.as('identity'), none.as('life'), none.as('state')])
        .select(['generation', none.as('fabricAddress'), 'changedAtMs', 'scope'])
        .select(nowMs.as('nowMs'))
        .where('scope', 'in', scopes)
        .where('changedAtMs', '>=', sinceMs) as never,
    )
}

/** The key of a scope's row. Null for the scope of a host, which has none. */
function keyOf(scope: Scope): Pick<GenerationRow, 'scope' | 'host'> | null {
  switch (scope.kind) {
    case 'host':
      return null
    case 'vpc':
      return { scope: scope.vpc, host: scope.host ?? NO_HOST }
    case 'account':
      return { scope: scope.account, host: NO_HOST }
    case 'all':
      return { scope: ALL, host: scope.host ?? NO_HOST }
    default:
      return assertNever(scope)
  }
}

function scopeOf({ scope, host }: Pick<GenerationRow, 'scope' | 'host'>): Scope {
  const part = host === NO_HOST ? {} : { host }
  if (scope === ALL) return { kind: 'all', ...part }
  const vpc = parseId('vpc', scope)
  if (vpc !== undefined) return { kind: 'vpc', vpc, ...part }
  return { kind: 'account', account: scope as AccountId }
}

/**
 * Advances each scope that the transaction has touched, as its last statements. Always in the same
 * order, so that two transactions cannot deadlock.
 */
export async function advanceGenerations(session: Session<Tables>): Promise<void> {
  const sorted = inOrder(session.touched)
  const due = sorted.flatMap((scope) =>
    scope.kind === 'host' && !session.advances.has(scope.host) ? [scope.host] : [],
  )
  if (due.length > 0)
    await session.db
      .updateTable('hosts')
      .set(advancedBy(session.nowMs))
      .where('name', 'in', due)
      .execute()
  await advanceRows(
    session,
    sorted.flatMap((scope) => keyOf(scope) ?? []),
  )
}

/** The touched scopes, always in the same order. */
export function inOrder(touched: ReadonlyMap<string, Scope>): readonly Scope[] {
  return [...touched.keys()].sort().flatMap((text) => touched.get(text) ?? [])
}

/** A scope as text. Equal scopes have equal texts. */
export function scopeText(scope: Scope): string {
  const key = keyOf(scope)
  if (key !== null) return `${key.scope} ${key.host}`
  return scope.kind === 'host' ? `host ${scope.host}` : ''
}

type Key = Pick<GenerationRow, 'scope' | 'host'>

async function advanceRows(session: Session<Tables>, keys: readonly Key[]): Promise<void> {
  if (keys.length === 0) return
  const { db, nowMs } = session
  const { numUpdatedRows } = await update(session, keys).executeTakeFirstOrThrow()
  if (numUpdatedRows === BigInt(keys.length)) return
  const rows = db.selectFrom('generations').select(['scope', 'host']).where(isOneOf(keys))
  const found = numUpdatedRows === 0n ? [] : await rows.execute()
  const isThere = (key: Key) =>
    found.some(({ scope, host }) => scope === key.scope && host === key.host)
  for (const key of keys.filter((one) => !isThere(one))) {
    const row = { ...key, generation: 1, changedAtMs: nowMs }
    if ((await insertOr('exists', db, 'generations', row)) === 'exists')
      await update(session, [key]).execute()
  }
}

function update({ db, nowMs }: Session<Tables>, keys: readonly Key[]) {
  return db
    .updateTable('generations')
    .set((row) => ({ generation: row('generation', '+', 1), changedAtMs: nowMs }))
    .where(isOneOf(keys))
}

function isOneOf(keys: readonly Key[]) {
  return ({ and, eb, or }: ExpressionBuilder<Tables, 'generations'>) =>
    or(keys.map(({ scope, host }) => and([eb('scope', '=', scope), eb('host', '=', host)])))
}
