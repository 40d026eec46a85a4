/**
 * Images. An image concerns the host in its row, and the host that has it. These differ once the
 * host that has it was forgotten and came back.
 */
import type { ExpressionBuilder } from 'kysely'
import { z } from 'zod'
import type { AccountId, HostName, ImageId } from '../../model/ids.ts'
import {
  IMAGE_LOCATION_MAX_LENGTH,
  isLocationOf,
  keptBy,
  keptImage,
  keptLocations,
} from '../../model/image-location.ts'
import type { Image, Instance } from '../../model/records.ts'
import { ofHost } from '../scope.ts'
import { account, digest, driver, host, id, name, prose, size, time } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { isLive } from './lists.ts'
import { always, isThere, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  images: table<Image>({
    name: 'images',
    schema: z
      .object({
        id: id('ami'),
        account,
        name,
        description: prose,
        location: z.string().max(IMAGE_LOCATION_MAX_LENGTH),
        driver,
        // The architecture that the image states.
        architecture: prose,
        state: z.enum(['pending', 'available', 'failed', 'deregistered']),
        stateReason: prose.nullable(),
        digest: digest.nullable(),
        repositoryDigest: digest.nullable(),
        diskGiB: size.nullable(),
        host,
        sourceImage: id('ami').nullable().optional(),
        sourceInstance: id('i').nullable(),
        capture: z.enum(['reboot', 'no-reboot']).nullable(),
        deprecatedAt: time.nullable().optional(),
        deregisteredAt: time.nullable().optional(),
        createdAt: time,
      })
      .refine(({ driver, location }) => isLocationOf(driver, location), {
        error: 'is not an image location',
        path: ['location'],
      })
      // A copy has the location of the image that was made.
      .refine(({ id: own, sourceImage, location: text }) => {
        const made = keptImage(text)
        return made === null || made.image === own || typeof sourceImage === 'string'
      }, 'has the location of another image'),
  }),
}
/** Columns of other nouns. */
interface Others {
  readonly instances: Pick<Instance, 'id' | 'image' | 'state'>
}
type Tables = RowsOf<typeof tables> & Others

type ImageChange = Partial<
  Pick<
    Image,
    | 'name'
    | 'description'
    | 'state'
    | 'stateReason'
    | 'digest'
    | 'repositoryDigest'
    | 'diskGiB'
    | 'architecture'
    | 'deprecatedAt'
    | 'deregisteredAt'
  >
>

/** Fields that are only shown, such as the progress of a download. */
const SHOWN_FIELDS: ReadonlySet<string> = new Set<keyof ImageChange>([
  'description',
  'stateReason',
  'deprecatedAt',
])

type ImageQuery = { readonly account?: AccountId } & (
  | { readonly ids?: readonly ImageId[]; readonly host?: undefined; readonly orIds?: undefined }
  | {
      readonly ids?: undefined
      /** The images that this host inspects, and those that exist on it only. */
      readonly host: HostName
      /** These as well, whatever host they have. */
      readonly orIds?: readonly ImageId[]
    }
)

/** The noun. */
export const images = noun({
  tables,
  reads: ({ db, rows, where }: Session<Tables>) => ({
    async images(query: ImageQuery): Promise<readonly Image[]> {
      let select = db.selectFrom('images').selectAll().orderBy('id')
      if (query.account !== undefined) select = select.where('account', '=', query.account)
      const { host, ids, orIds = [] } = query
      const found =
        host === undefined
          ? await inParts(ids, (part) =>
              part === undefined ? select.execute() : select.where('id', 'in', part).execute(),
            )
          : await inParts(orIds.length === 0 ? undefined : orIds, (part) =>
              select.where((eb) => isOf(eb, host, part)).execute(),
            )
      // Images of the host are found with each part of the ids.
      const distinct = [...new Map(found.map((row) => [row.id, row])).values()]
      const images = await rows.parseLong(tables.images, distinct)
      for (const image of images) where.isAt(image.id, ...hostsOf(image))
      return images
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when the account has an image with this name. */
    insertImage: (image: Image) => insertOr('exists', db, 'images', image),
    async updateImage(id: ImageId, change: ImageChange): Promise<void> {
      // An UPDATE without columns is invalid SQL.
      if (Object.keys(change).length === 0) return
      await db.updateTable('images').set(change).where('id', '=', id).execute()
    },
    /**
     * Deletes the records of the host's images that were deregistered until then and that only
     * terminated instances use. `none` when there are none.
     */
    async deleteUnusedImages(host: HostName, until: string): Promise<'done' | 'none'> {
      const { numDeletedRows } = await db
        .deleteFrom('images')
        .where(isUnusedOf(host, until))
        .executeTakeFirstOrThrow()
      return numDeletedRows > 0n ? 'done' : 'none'
    },
  }),
  touches: {
    insertImage: (_session, image) => hostsOf(image).map(ofHost),
    updateImage: async (session, id, change) =>
      Object.keys(change).every((field) => SHOWN_FIELDS.has(field))
        ? []
        : (await hostsWith(session, id)).map(ofHost),
    deleteUnusedImages: async ({ db }, host, until) => {
      const query = db.selectFrom('images').select('location').where(isUnusedOf(host, until))
      const unused = await query.execute()
      return [host, ...unused.flatMap(({ location }) => keptBy(location) ?? [])].map(ofHost)
    },
  },
  inCopy: {
    insertImage: async (tx, { id }) => isThere(tx.images({ ids: [id] })),
    updateImage: async (tx, id) => isThere(tx.images({ ids: [id] })),
    deleteUnusedImages: always,
  },
})

/** Whether an image is inspected by the host, exists on it only, or is one of these. */
function isOf(
  { eb, or }: ExpressionBuilder<Tables, 'images'>,
  host: HostName,
  ids: readonly ImageId[] = [],
) {
  const kept = eb('location', 'like', `${keptLocations(host)}%`)
  const inspected = eb('host', '=', host)
  return or(ids.length === 0 ? [inspected, kept] : [inspected, kept, eb('id', 'in', ids)])
}

/** The host in the image's row, and the host that has the image. */
function hostsOf({ host, location }: Pick<Image, 'host' | 'location'>): readonly HostName[] {
  return [...new Set([host, keptBy(location) ?? host])]
}

async function hostsWith(
  { db, where }: Session<Tables>,
  id: ImageId,
): Promise<readonly HostName[]> {
  const known = where.known(id)
  if (known !== undefined) return known
  const query = db.selectFrom('images').select(['host', 'location']).where('id', '=', id)
  return (await query.execute()).flatMap(hostsOf)
}

/** Images of this host, deregistered until then, that only terminated instances use. */
function isUnusedOf(host: HostName, until: string) {
  return ({ and, or, eb, not, exists, selectFrom }: ExpressionBuilder<Tables, 'images'>) =>
    and([
      eb('images.host', '=', host),
      eb('images.state', '=', 'deregistered'),
      // Older daemons do not write the time.
      or([eb('images.deregisteredAt', 'is', null), eb('images.deregisteredAt', '<=', until)]),
      not(
        exists(
          selectFrom('instances')
            .select('instances.id')
            .whereRef('instances.image', '=', 'images.id')
            .where(isLive('instances.state')),
        ),
      ),
    ])
}
