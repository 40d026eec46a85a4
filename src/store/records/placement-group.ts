/**
 * Placement groups, and the hosts that their members have (slots). No host reads them.
 *
 * The key of a slot is the group and the host. So a group that spreads cannot have two instances on
 * one host, and a host cannot be in two partitions of a group, whoever launches at the same time.
 */
import { type Kysely, sql } from 'kysely'
import { z } from 'zod'
import type { AccountId, HostName, PlacementGroupId } from '../../model/ids.ts'
import {
  PARTITIONS_MAX,
  PLACEMENT_GROUP_NAME_MAX,
  PLACEMENT_STRATEGIES,
  type PlacementGroup,
  type PlacementSlot,
} from '../../model/placement-group.ts'
import { account, count, host, id, isPrintable, label, time } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, hasId, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  placementGroups: table<PlacementGroup>({
    name: 'placementGroups',
    cached: false,
    schema: z.object({
      id: id('pg'),
      account,
      name: z
        .string()
        .max(2 * PLACEMENT_GROUP_NAME_MAX)
        .refine(isPrintable, 'is not printable'),
      strategy: z.enum(PLACEMENT_STRATEGIES),
      spreadLevel: z.enum(['host', 'rack']).nullable(),
      partitionCount: z.int().min(1).max(PARTITIONS_MAX).nullable(),
      createdAt: time,
      members: count,
      zone: label.nullable(),
    }),
  }),
  placementSlots: table<PlacementSlot>({
    name: 'placementSlots',
    key: ['placementGroup', 'host'],
    cached: false,
    schema: z.object({
      placementGroup: id('pg'),
      host,
      partitionNumber: z.int().min(0).max(PARTITIONS_MAX),
      members: count,
    }),
  }),
}
type Tables = RowsOf<typeof tables>

type Slot = Pick<PlacementSlot, 'placementGroup' | 'host' | 'partitionNumber'>

/** The noun. */
export const placementGroups = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async placementGroups({
      account,
      ids,
    }: {
      readonly account?: AccountId
      readonly ids?: readonly PlacementGroupId[]
    }): Promise<readonly PlacementGroup[]> {
      let query = db.selectFrom('placementGroups').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
      return rows.parse(tables.placementGroups, found)
    },
    async placementSlots(group: PlacementGroupId): Promise<readonly PlacementSlot[]> {
      const found = await db
        .selectFrom('placementSlots')
        .selectAll()
        .where('placementGroup', '=', group)
        .orderBy('host')
        .execute()
      return rows.parse(tables.placementSlots, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when the account has a group with this name. */
    insertPlacementGroup: (group: PlacementGroup) =>
      insertOr('exists', db, 'placementGroups', group),
    /** `used` when it has members. */
    async deletePlacementGroup(group: PlacementGroupId): Promise<'done' | 'used'> {
      const { numDeletedRows } = await db
        .deleteFrom('placementGroups')
        .where('id', '=', group)
        .where('members', '=', 0)
        .executeTakeFirstOrThrow()
      if (numDeletedRows !== 1n) return 'used'
      await db.deleteFrom('placementSlots').where('placementGroup', '=', group).execute()
      return 'done'
    },
    joinPlacementGroup: (group: PlacementGroupId, joining: Joining) => join(db, group, joining),
    /**
     * Puts one member of a group on a host. `taken` when the host is in another partition, or
     * `alone` and the group has a member there.
     */
    takePlacementSlot: (slot: Slot, alone: boolean) => takeSlot(db, slot, alone),
    /** Takes one member of a group off a host. Its membership stays. */
    freePlacementSlot: (group: PlacementGroupId, host: HostName) => freeSlot(db, group, host),
    /** Ends the membership of one instance, and takes it off its host. */
    async leavePlacementGroup(group: PlacementGroupId, host: HostName): Promise<void> {
      await freeSlot(db, group, host)
      await db
        .updateTable('placementGroups')
        .set((row) => ({ members: row('members', '-', 1) }))
        .where('id', '=', group)
        .where('members', '>', 0)
        .execute()
    },
  }),
  // No host reads them. What becomes of an instance concerns its host by the instance's own row.
  touches: {
    insertPlacementGroup: nobody,
    deletePlacementGroup: nobody,
    joinPlacementGroup: nobody,
    takePlacementSlot: nobody,
    freePlacementSlot: nobody,
    leavePlacementGroup: nobody,
  },
  inCopy: {
    insertPlacementGroup: async (tx, { id, account }) => hasId(tx.placementGroups({ account }), id),
    deletePlacementGroup: always,
    // They add to numbers that a copy may already include, and that no client reads.
    joinPlacementGroup: null,
    takePlacementSlot: null,
    freePlacementSlot: null,
    leavePlacementGroup: null,
  },
})

interface Joining {
  readonly members: number
  /** The zone of the new members if all of the group must be in one. Null: in any. */
  readonly zone: string | null
}

/**
 * Adds members. `elsewhere` when the group is gone, or its members must be in one zone and are in
 * another one.
 */
async function join(
  db: Kysely<Tables>,
  group: PlacementGroupId,
  { members, zone }: Joining,
): Promise<'done' | 'elsewhere'> {
  const { numUpdatedRows } = await db
    .updateTable('placementGroups')
    .where('id', '=', group)
    .$if(zone !== null, (update) =>
      update.where(({ eb, or }) =>
        or([eb('members', '=', 0), eb('zone', 'is', null), eb('zone', '=', zone)]),
      ),
    )
    .set((row) => ({
      // This one first, because MariaDB sets columns one after another.
      ...(zone === null ? {} : { zone }),
      members: row('members', '+', members),
    }))
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n ? 'done' : 'elsewhere'
}

async function takeSlot(
  db: Kysely<Tables>,
  { placementGroup, host, partitionNumber }: Slot,
  alone: boolean,
): Promise<'done' | 'taken'> {
  const addMember = async () => {
    const { numUpdatedRows } = await db
      .updateTable('placementSlots')
      .where('placementGroup', '=', placementGroup)
      .where('host', '=', host)
      .where('partitionNumber', '=', partitionNumber)
      .set((row) => ({ members: row('members', '+', 1) }))
      .executeTakeFirstOrThrow()
    return numUpdatedRows === 1n
  }
  if (!alone && (await addMember())) return 'done'
  const slot = { placementGroup, host, partitionNumber, members: 1 }
  if ((await insertOr('taken', db, 'placementSlots', slot)) === 'done') return 'done'
  // Another launch may just have made the same slot.
  return !alone && (await addMember()) ? 'done' : 'taken'
}

async function freeSlot(
  db: Kysely<Tables>,
  group: PlacementGroupId,
  host: HostName,
): Promise<void> {
  await db
    .updateTable('placementSlots')
    .where('placementGroup', '=', group)
    .where('host', '=', host)
    .set({ members: sql<number>`${sql.ref('members')} - 1` })
    .execute()
  await db
    .deleteFrom('placementSlots')
    .where('placementGroup', '=', group)
    .where('host', '=', host)
    .where('members', '<=', 0)
    .execute()
}
