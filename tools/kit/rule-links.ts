/** Which NICs the rules of a host name. */

/**
 * An element that packets have added. The kernel removes it after a minute, or with its
 * connections.
 */
const COUNTED = /"at-h[0-9a-f]{11}"[^,{}]*(?:limit rate|ct count)[^,{}]*/g

/**
 * Links of NICs in a listing of `nft list ruleset`, as often as they occur, except where packets
 * are only counted.
 */
export function ruleLinks(listing: string): readonly string[] {
  return listing.replaceAll(COUNTED, '').match(/at-h[0-9a-f]{11}/g) ?? []
}
