/**
 * Migration 30: launch templates, to whom an image is shared, and what it is a copy of. Additive:
 * an older daemon answers no action about them, and shows an image to its owner only.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

const NAME = 'varchar(64)'
const TEXT = 'varchar(255)'

/**
 * Makes the tables `launchTemplates`, `launchTemplateVersions` and `imagePermissions`, and
 * `images.sourceImage`.
 */
export const launchTemplates: Migration = {
  async up(db: Kysely<unknown>) {
    await makeTemplates(db)
    await db.schema
      .createTable('imagePermissions')
      .ifNotExists()
      .addColumn('image', NAME, (column) => column.notNull())
      .addColumn('grantee', NAME, (column) => column.notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('imagePermissionsKey', ['image', 'grantee'])
      .execute()
    await addColumn(db, 'images', 'sourceImage', 'varchar(64)')
    await db.schema
      .createIndex('imagePermissionsByGrantee')
      .ifNotExists()
      .on('imagePermissions')
      .column('grantee')
      .execute()
  },
}

async function makeTemplates(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('launchTemplates')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('name', TEXT, (column) => column.notNull())
    .addColumn('createdAt', NAME, (column) => column.notNull())
    .addColumn('createdBy', TEXT, (column) => column.notNull())
    .addColumn('defaultVersion', 'integer', (column) => column.notNull())
    .addColumn('latestVersion', 'integer', (column) => column.notNull())
    .addColumn('lastVersion', 'integer', (column) => column.notNull())
    .execute()
  await db.schema
    .createIndex('launchTemplatesName')
    .ifNotExists()
    .unique()
    .on('launchTemplates')
    .columns(['account', 'name'])
    .execute()
  await db.schema
    .createTable('launchTemplateVersions')
    .ifNotExists()
    .addColumn('template', NAME, (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('request', NAME, (column) => column.notNull())
    .addColumn('description', TEXT, (column) => column.notNull())
    .addColumn('createdAt', NAME, (column) => column.notNull())
    .addColumn('createdBy', TEXT, (column) => column.notNull())
    .addColumn('data', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('launchTemplateVersionsKey', ['template', 'version'])
    .execute()
  await db.schema
    .createIndex('launchTemplateVersionsByAccount')
    .ifNotExists()
    .on('launchTemplateVersions')
    .column('account')
    .execute()
}
