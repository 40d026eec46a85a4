/**
 * Ids of what has no record of its own because it follows from something that has: each VPC has one
 * route table, one internet gateway, one network ACL, one set of DHCP options. The same
 * on every host and at any time. Pure.
 */

/** The id with the same digits and another prefix, for what its owner has one of. */
export function derivedId(prefix: string, owner: string): string {
  return `${prefix}-${owner.slice(owner.indexOf('-') + 1)}`
}
