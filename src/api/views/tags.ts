/** Tags in the SDK's terms. Pure. */
import type { Tag as TagOutput } from '@aws-sdk/client-ec2'
import type { Tag } from '../../model/records.ts'

/** The tags of one resource among many. */
export function tagsView(tags: readonly Tag[], resource: string): TagOutput[] {
  return tags
    .filter((tag) => tag.resource === resource)
    .map((tag) => ({ Key: tag.key, Value: tag.value }))
}

/** A lookup of each resource's tags, for views of long lists. */
export function tagsIndex(tags: readonly Tag[]): (resource: string) => TagOutput[] {
  const byResource = Map.groupBy(tags, (tag) => tag.resource)
  return (resource) =>
    (byResource.get(resource) ?? []).map((tag) => ({ Key: tag.key, Value: tag.value }))
}

/** `Tags` of a view. As in EC2, it is left out if there are none. */
export function tagged(tags: TagOutput[]): { readonly Tags?: TagOutput[] } {
  return tags.length === 0 ? {} : { Tags: tags }
}
