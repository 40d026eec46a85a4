/**
 * Reads listings of nft: the fingerprint that tells whether a table is still what was loaded. Pure.
 */
import { createHash } from 'node:crypto'

/** Of a listing from `nft -j list table`: equal as long as nobody changed the table, whatever its counters count. */
export function tableFingerprint(listing: string): string {
  const objects = nftObjects(JSON.parse(listing))
  const lines = objects.map((object) => JSON.stringify(object, withoutVolatile))
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

/** The objects of a parsed `nft -j` listing (libnftables-json(5)), each with one key that names its kind. */
export function nftObjects(listing: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (typeof listing !== 'object' || listing === null || !('nftables' in listing)) return []
  return Array.isArray(listing.nftables) ? listing.nftables : []
}

const VOLATILE = new Set(['handle', 'packets', 'bytes', 'metainfo'])

/** Handles differ between two loads of one script and counters move; the elements of a set come in the kernel's order. */
function withoutVolatile(key: string, value: unknown): unknown {
  if (VOLATILE.has(key)) return undefined
  if (key !== 'elem' || !Array.isArray(value)) return value
  return value.map((element) => JSON.stringify(element)).sort()
}
