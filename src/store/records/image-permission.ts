/**
 * To whom images are shared, besides their owners. No host reads it: who has launched from an image
 * keeps his instances.
 */
import { z } from 'zod'
import type { AccountId, ImageId } from '../../model/ids.ts'
import { EVERYBODY, type ImagePermission } from '../../model/image-permission.ts'
import { account, id } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  imagePermissions: table<ImagePermission>({
    name: 'imagePermissions',
    key: ['image', 'grantee'],
    schema: z.object({
      image: id('ami'),
      grantee: z.union([account, z.literal(EVERYBODY)]),
      account,
    }),
  }),
}
type Tables = RowsOf<typeof tables>

/** The permissions to list. Fields are joined by AND, members of a list by OR. */
interface PermissionQuery {
  /** Of images of this owner. */
  readonly account?: AccountId
  readonly grantees?: readonly ImagePermission['grantee'][]
  readonly images?: readonly ImageId[]
}

/** The noun. */
export const imagePermissions = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async imagePermissions({
      account,
      grantees,
      images,
    }: PermissionQuery): Promise<readonly ImagePermission[]> {
      let query = db.selectFrom('imagePermissions').selectAll().orderBy('image').orderBy('grantee')
      if (account !== undefined) query = query.where('account', '=', account)
      if (grantees !== undefined) query = query.where('grantee', 'in', [...grantees])
      const found = await inParts(images, (part) =>
        part === undefined ? query.execute() : query.where('image', 'in', part).execute(),
      )
      return rows.parse(tables.imagePermissions, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when it is shared so already. */
    insertImagePermission: (permission: ImagePermission) =>
      insertOr('exists', db, 'imagePermissions', permission),
    async deleteImagePermission({
      image,
      grantee,
    }: Pick<ImagePermission, 'image' | 'grantee'>): Promise<void> {
      await db
        .deleteFrom('imagePermissions')
        .where('image', '=', image)
        .where('grantee', '=', grantee)
        .execute()
    },
    async deleteImagePermissionsOf(image: ImageId): Promise<void> {
      await db.deleteFrom('imagePermissions').where('image', '=', image).execute()
    },
  }),
  touches: {
    insertImagePermission: nobody,
    deleteImagePermission: nobody,
    deleteImagePermissionsOf: nobody,
  },
  inCopy: {
    insertImagePermission: always,
    deleteImagePermission: always,
    deleteImagePermissionsOf: always,
  },
})
