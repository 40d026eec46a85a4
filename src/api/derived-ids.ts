/**
 * Ids of resources without a record, which are derived from another resource: each VPC has one
 * route table, internet gateway, network ACL and set of DHCP options. They are the same on every
 * host and at any time. Pure.
 */

/**
 * The id with the same digits and another prefix, for a resource of which its owner has exactly
 * one.
 */
export function derivedId(prefix: string, owner: string): string {
  return `${prefix}-${owner.slice(owner.indexOf('-') + 1)}`
}
