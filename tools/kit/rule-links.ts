/** Which NICs the rules of a host speak of. */

/**
 * An element that packets have made: the kernel removes it a minute later, or when the connections
 * are gone.
 */
const COUNTED = /"at-h[0-9a-f]{11}"[^,{}]*(?:limit rate|ct count)[^,{}]*/g

/**
 * Links of NICs, as often as they are named in a listing of `nft list ruleset`, except where
 * packets are only counted.
 */
export function ruleLinks(listing: string): readonly string[] {
  return listing.replaceAll(COUNTED, '').match(/at-h[0-9a-f]{11}/g) ?? []
}
