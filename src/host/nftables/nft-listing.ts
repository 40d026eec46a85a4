/**
 * Reads listings of nft: the fingerprint that tells whether a table is still what was loaded. Pure.
 */
import { createHash } from 'node:crypto'

/**
 * Of a listing from `nft -j list table`: equal as long as nobody changed the table, whatever its
 * counters and packets do.
 */
export function tableFingerprint(listing: string): string {
  const objects = nftObjects(JSON.parse(listing)).map(withoutPacketElements)
  const lines = objects.map((object) => JSON.stringify(object, withoutVolatile))
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

/**
 * The objects of a parsed `nft -j` listing (libnftables-json(5)), each with one key that names its
 * kind.
 */
export function nftObjects(listing: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (typeof listing !== 'object' || listing === null || !('nftables' in listing)) return []
  return Array.isArray(listing.nftables) ? listing.nftables : []
}

/** Sets of ours have a size exactly when packets fill them. */
function withoutPacketElements(object: Readonly<Record<string, unknown>>): unknown {
  const set = object['set']
  if (typeof set !== 'object' || set === null || !('size' in set)) return object
  return { set: { ...set, elem: [] } }
}

const VOLATILE = new Set(['handle', 'packets', 'bytes', 'metainfo'])

/**
 * Handles differ between two loads of one script and counters move; the elements of a set come in
 * the kernel's order.
 */
function withoutVolatile(key: string, value: unknown): unknown {
  if (VOLATILE.has(key)) return undefined
  if (key !== 'elem' || !Array.isArray(value)) return value
  return value.map((element) => JSON.stringify(element)).sort()
}
