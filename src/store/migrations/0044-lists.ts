/**
 * Migration 44: indexes of lists that are read in parts (`records/lists.ts`), and of the living
 * instances of a host or an image. Additive.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const INDEXES: readonly (readonly [string, string, readonly string[]])[] = [
  ['instancesOfAccount', 'instances', ['account', 'id']],
  ['instancesByLaunch', 'instances', ['account', 'reservation', 'launchIndex', 'id']],
  ['instancesInState', 'instances', ['account', 'state', 'id']],
  [
    'instancesInStateByLaunch',
    'instances',
    ['account', 'state', 'reservation', 'launchIndex', 'id'],
  ],
  ['instancesOfHost', 'instances', ['host', 'state', 'terminatedAt']],
  ['instancesOfImage', 'instances', ['image', 'state']],
  ['volumesOfAccount', 'volumes', ['account', 'id']],
  ['nicsOfAccount', 'nics', ['account', 'id']],
  ['nicsOfVpc', 'nics', ['account', 'vpc', 'id']],
  ['nicsWithAddress', 'nics', ['account', 'ip']],
  ['tagsByValue', 'tags', ['account', 'key', 'value', 'resource']],
]

/** Makes the indexes. */
export const lists: Migration = {
  async up(db: Kysely<unknown>) {
    for (const [name, table, columns] of INDEXES)
      await db.schema
        .createIndex(name)
        .ifNotExists()
        .on(table)
        .columns([...columns])
        .execute()
  },
}
