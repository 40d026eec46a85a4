/**
 * Records of calls (`model/audit.ts`).
 *
 * They concern no host, and no copy has them: an old list of calls would hide the newest ones, so
 * LookupEvents needs the records themselves. They are only inserted and deleted. Deleting goes by
 * id, so that it locks no range that others insert into.
 */
import type { ExpressionBuilder, Kysely, SelectQueryBuilder } from 'kysely'
import { z } from 'zod'
import { nextTurn } from '../../lib/clock.ts'
import { parseJson } from '../../lib/json.ts'
import {
  AUDIT_KINDS,
  type AuditAttribute,
  type AuditEvent,
  type AuditOwner,
  type AuditPosition,
  type AuditResource,
  OPERATOR,
  STRANGERS,
} from '../../model/audit.ts'
import { account, flag, moment, name, TEXT_MAX } from './columns.ts'
import { insertOr } from './insert.ts'
import { nobody, noun, type RowsOf, type Session, table } from './noun.ts'

interface AuditRow extends Omit<AuditEvent, 'isReadOnly' | 'resources'> {
  readonly isReadOnly: number
  /** JSON: pairs of type and name. */
  readonly resources: string
}

const tables = {
  auditEvents: table<AuditRow>({
    name: 'auditEvents',
    cached: false,
    copied: 'never',
    schema: z.object({
      id: z.string().regex(/^[0-9a-f-]{36}$/),
      owner: z.union([account, z.enum([OPERATOR, STRANGERS])]),
      atMs: moment,
      kind: z.enum(AUDIT_KINDS),
      name,
      source: name,
      user: name,
      accessKey: name,
      isReadOnly: flag,
      resources: z
        .string()
        .max(TEXT_MAX)
        .refine((text) => resourcesFrom(text) !== undefined, 'is malformed'),
      event: z.string().max(TEXT_MAX),
    }),
  }),
}

/** Which records. */
export interface AuditQuery {
  /** Undefined: of all. */
  readonly owner?: AuditOwner
  /** From this time. */
  readonly sinceMs?: number
  /** Up to and including this time. */
  readonly untilMs?: number
  readonly attribute?: { readonly key: AuditAttribute; readonly value: string }
  readonly after?: AuditPosition
  readonly limit: number
}

type Tables = RowsOf<typeof tables>
type Attribute = NonNullable<AuditQuery['attribute']>

/** What a record is looked up by. */
const LOOKED_AT = [
  ...(['id', 'atMs', 'name', 'source', 'user', 'accessKey', 'isReadOnly', 'resources'] as const),
] as const
/** Records that are looked at without a pause. */
const PIECE = 250

/** The noun. */
export const auditEvents = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** Newest first. */
    async auditEvents(asked: AuditQuery): Promise<readonly AuditEvent[]> {
      const { attribute, limit } = asked
      const all = db.selectFrom('auditEvents').selectAll()
      if (attribute === undefined || attribute.key === 'EventId') {
        const found = await inOrder(all, asked)
          .$if(attribute !== undefined, (query) => query.where('id', '=', attribute?.value ?? ''))
          .limit(limit)
          .execute()
        return rows.parse(tables.auditEvents, found).map(fromRow)
      }
      const ids = await matching(db, asked, attribute)
      if (ids.length === 0) return []
      const found = await inOrder(all.where('id', 'in', ids), asked).execute()
      return rows.parse(tables.auditEvents, found).map(fromRow)
    },
    /**
     * The ids of at most `limit` records of an owner that are too many or too old: of each kind,
     * those after the first `keep`, and those from before `sinceMs`.
     */
    async surplusAuditEvents(
      owner: AuditOwner,
      {
        keep,
        sinceMs,
        limit,
      }: { readonly keep: number; readonly sinceMs: number; readonly limit: number },
    ): Promise<readonly string[]> {
      const ids = new Set<string>()
      for (const kind of AUDIT_KINDS) {
        const ofKind = db
          .selectFrom('auditEvents')
          .select(['id', 'atMs'])
          .where('owner', '=', owner)
          .where('kind', '=', kind)
        const last = ofKind.orderBy('atMs', 'desc').orderBy('id', 'desc')
        const surplus = await last.limit(limit).offset(keep).execute()
        const old = await ofKind.where('atMs', '<', sinceMs).limit(limit).execute()
        for (const { id } of [...surplus, ...old]) ids.add(id)
      }
      return [...ids].slice(0, limit)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists`: it is there already, because the transaction runs again. */
    insertAuditEvent: (event: AuditEvent) => insertOr('exists', db, 'auditEvents', toRow(event)),
    async deleteAuditEvents(ids: readonly string[]): Promise<void> {
      if (ids.length === 0) return
      await db.deleteFrom('auditEvents').where('id', 'in', ids).execute()
    },
  }),
  touches: { insertAuditEvent: nobody, deleteAuditEvents: nobody },
  inCopy: { insertAuditEvent: null, deleteAuditEvents: null },
})

/** Newest first, within the limits of time and place of what was asked for. */
function inOrder<Selected>(
  query: SelectQueryBuilder<Tables, 'auditEvents', Selected>,
  { owner, sinceMs, untilMs, after }: AuditQuery,
) {
  return query
    .$if(owner !== undefined, (some) => some.where('owner', '=', owner ?? OPERATOR))
    .$if(sinceMs !== undefined, (some) => some.where('atMs', '>=', sinceMs ?? 0))
    .$if(untilMs !== undefined, (some) => some.where('atMs', '<=', untilMs ?? 0))
    .$if(after !== undefined, (some) => some.where(isAfter(after ?? { atMs: 0, id: '' })))
    .orderBy('atMs', 'desc')
    .orderBy('id', 'desc')
}

function isAfter({ atMs, id }: AuditPosition) {
  return ({ and, eb, or }: ExpressionBuilder<Tables, 'auditEvents'>) =>
    and([eb('atMs', '<=', atMs), or([eb('atMs', '<', atMs), eb('id', '<', id)])])
}

/**
 * The ids of the first records with this attribute. Looked for in pieces, because SQLite works on
 * this event loop.
 */
async function matching(
  db: Kysely<Tables>,
  asked: AuditQuery,
  attribute: Attribute,
): Promise<readonly string[]> {
  const ids: string[] = []
  let after = asked.after
  for (;;) {
    const light = db.selectFrom('auditEvents').select(LOOKED_AT)
    const place = { ...asked, ...(after === undefined ? {} : { after }) }
    const piece = await inOrder(light, place).limit(PIECE).execute()
    for (const row of piece) if (has(row, attribute)) ids.push(row.id)
    after = piece.at(-1)
    if (ids.length >= asked.limit || piece.length < PIECE) return ids.slice(0, asked.limit)
    await nextTurn()
  }
}

function has(row: Pick<AuditRow, (typeof LOOKED_AT)[number]>, { key, value }: Attribute): boolean {
  switch (key) {
    case 'ResourceType':
      return resourcesFrom(row.resources)?.some(({ type }) => type === value) === true
    case 'ResourceName':
      return resourcesFrom(row.resources)?.some((one) => one.name === value) === true
    case 'ReadOnly':
      return String(Number(row.isReadOnly) !== 0) === value
    case 'EventId':
      return row.id === value
    default:
      return row[COLUMNS[key]] === value
  }
}

const COLUMNS = {
  EventName: 'name',
  Username: 'user',
  EventSource: 'source',
  AccessKeyId: 'accessKey',
} as const

function toRow({ isReadOnly, resources, ...rest }: AuditEvent): AuditRow {
  const pairs = resources.map(({ type, name: of }) => [type, of])
  return { ...rest, isReadOnly: Number(isReadOnly), resources: JSON.stringify(pairs) }
}

function fromRow({ isReadOnly, resources, atMs, ...rest }: AuditRow): AuditEvent {
  return {
    ...rest,
    atMs: Number(atMs),
    isReadOnly: isReadOnly !== 0,
    resources: resourcesFrom(resources) ?? [],
  }
}

const pairsSchema = z.array(z.tuple([z.string(), z.string()]))

function resourcesFrom(text: string): readonly AuditResource[] | undefined {
  const { data } = pairsSchema.safeParse(parseJson(text))
  return data?.map(([type, of]) => ({ type, name: of }))
}
