/**
 * Parses listings of nft: a fingerprint that tells whether a table is still what was loaded. Pure.
 */
import { createHash } from 'node:crypto'

/**
 * The fingerprint of `nft -j list table`. It stays the same until somebody changes the table;
 * counters and packets do not change it.
 */
export function tableFingerprint(listing: string): string {
  const objects = nftObjects(JSON.parse(listing)).map(withoutPacketElements)
  const lines = objects.map((object) => JSON.stringify(object, withoutVolatile))
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

/**
 * The objects of a parsed `nft -j` listing (libnftables-json(5)). Each has one key that names its
 * kind.
 */
export function nftObjects(listing: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (typeof listing !== 'object' || listing === null || !('nftables' in listing)) return []
  return Array.isArray(listing.nftables) ? listing.nftables : []
}

/** Our sets have a size exactly if packets add elements. */
function withoutPacketElements(object: Readonly<Record<string, unknown>>): unknown {
  const set = object['set']
  if (typeof set !== 'object' || set === null || !('size' in set)) return object
  return { set: { ...set, elem: [] } }
}

const VOLATILE = new Set(['handle', 'packets', 'bytes', 'metainfo'])

/**
 * Handles differ between two loads of a script, counters change, and the order of a set's elements
 * is the kernel's.
 */
function withoutVolatile(key: string, value: unknown): unknown {
  if (VOLATILE.has(key)) return undefined
  if (key !== 'elem' || !Array.isArray(value)) return value
  return value.map((element) => JSON.stringify(element, withoutVolatile)).sort()
}
