/**
 * What CreateTags and DeleteTags share. An instance's host uses its tags: in metadata, and for a
 * DNS name.
 */
import { z } from 'zod'
import type { AccountId } from '../model/ids.ts'
import type { Tx } from '../store/store.ts'
import { IDS_MAX, required } from './schemas.ts'
import { findTaggable, type Taggable } from './taggable.ts'

/** The ids of the tagged resources, without duplicates. */
export const resourcesSchema = required(
  z
    .array(z.string())
    .max(IDS_MAX)
    .transform((ids) => [...new Set(ids)]),
  'resourceIdSet',
)

/** The resources whose tags change. Refuses the first one that does not exist. */
export async function findTagged(
  tx: Tx,
  account: AccountId,
  ids: readonly string[],
): Promise<readonly Taggable[]> {
  const taggables = await findTaggable(tx, account, ids)
  return taggables
}
