/**
 * Ids that are derived from another resource's, of which it has one. They are the same on every
 * host and at any time. Pure.
 *
 * So are those of a VPC's own set of DHCP options, and of the gateway, main route table and ACL of
 * a VPC that an older daemon made.
 */

/**
 * The id with the same digits and another prefix, for a resource of which its owner has exactly
 * one.
 */
export function derivedId(prefix: string, owner: string): string {
  return `${prefix}-${owner.slice(owner.indexOf('-') + 1)}`
}
