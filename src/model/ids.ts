/**
 * Identifiers: their formats, and types that distinguish them.
 *
 * They have the format of EC2's long ids: a prefix and 17 hexadecimal digits
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html). Pure: randomness is an
 * argument.
 */

declare const brand: unique symbol
/** A string that only our parsers can create, so that ids of different kinds cannot be mixed up. */
export type Branded<Name extends string> = string & { readonly [brand]: Name }

export type InstanceId = Branded<'InstanceId'>
export type ReservationId = Branded<'ReservationId'>
export type ImageId = Branded<'ImageId'>
export type VpcId = Branded<'VpcId'>
export type SubnetId = Branded<'SubnetId'>
export type NicId = Branded<'NicId'>
export type GroupId = Branded<'GroupId'>
export type KeyPairId = Branded<'KeyPairId'>
export type VolumeId = Branded<'VolumeId'>
export type InternetGatewayId = Branded<'InternetGatewayId'>
export type RouteTableId = Branded<'RouteTableId'>
export type RouteTableAssociationId = Branded<'RouteTableAssociationId'>
export type NatGatewayId = Branded<'NatGatewayId'>
export type NetworkAclAssociationId = Branded<'NetworkAclAssociationId'>
export type NetworkAclId = Branded<'NetworkAclId'>
export type DhcpOptionsId = Branded<'DhcpOptionsId'>
export type SecurityGroupRuleId = Branded<'SecurityGroupRuleId'>
export type AllocationId = Branded<'AllocationId'>
export type FlowLogId = Branded<'FlowLogId'>
export type AssociationId = Branded<'AssociationId'>
export type PeeringId = Branded<'PeeringId'>
export type AttachmentId = Branded<'AttachmentId'>
export type LaunchTemplateId = Branded<'LaunchTemplateId'>
export type PlacementGroupId = Branded<'PlacementGroupId'>
export type PrefixListId = Branded<'PrefixListId'>
export type ProfileAssociationId = Branded<'ProfileAssociationId'>
export type CidrAssociationId = Branded<'CidrAssociationId'>
/** Twelve digits, as in an ARN. */
export type AccountId = Branded<'AccountId'>
/** A host's name: an RFC 1123 label, unique in the cluster. */
export type HostName = Branded<'HostName'>

/** The prefix of each kind of id, and its type. */
interface IdTypes {
  i: InstanceId
  r: ReservationId
  ami: ImageId
  vpc: VpcId
  subnet: SubnetId
  eni: NicId
  sg: GroupId
  key: KeyPairId
  vol: VolumeId
  igw: InternetGatewayId
  rtb: RouteTableId
  rtbassoc: RouteTableAssociationId
  nat: NatGatewayId
  acl: NetworkAclId
  aclassoc: NetworkAclAssociationId
  dopt: DhcpOptionsId
  sgr: SecurityGroupRuleId
  eipalloc: AllocationId
  eipassoc: AssociationId
  fl: FlowLogId
  pcx: PeeringId
  'eni-attach': AttachmentId
  lt: LaunchTemplateId
  pg: PlacementGroupId
  pl: PrefixListId
  'iip-assoc': ProfileAssociationId
  'vpc-cidr-assoc': CidrAssociationId
}
export type IdPrefix = keyof IdTypes

/** Number of random bytes for an id. 17 hex digits need 9 bytes; the last half byte is dropped. */
export const ID_BYTES = 9

/** An id of the given kind from at least `ID_BYTES` random bytes. */
export function formatId<P extends IdPrefix>(prefix: P, random: Uint8Array): IdTypes[P] {
  if (random.length < ID_BYTES) throw new RangeError(`an id needs ${ID_BYTES} random bytes`)
  let hex = ''
  for (const byte of random) hex += byte.toString(16).padStart(2, '0')
  return `${prefix}-${hex.slice(0, 17)}` as IdTypes[P]
}

/** Makes a new id of the given kind. */
export type NewId = <P extends IdPrefix>(prefix: P) => IdTypes[P]

/** Makes ids from random bytes. */
export function newIds(random: (bytes: number) => Uint8Array): NewId {
  return (prefix) => formatId(prefix, random(ID_BYTES))
}

/** Parses an id with the given prefix and 8 or 17 lower-case hex digits. */
export function parseId<P extends IdPrefix>(prefix: P, text: string): IdTypes[P] | undefined {
  const wellFormed =
    text.startsWith(`${prefix}-`) &&
    /^(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(text.slice(prefix.length + 1))
  return wellFormed ? (text as IdTypes[P]) : undefined
}

/** Parses an account: twelve digits. */
export function parseAccountId(text: string): AccountId | undefined {
  return /^\d{12}$/.test(text) ? (text as AccountId) : undefined
}

/** The account that every cloud begins with: its operator's. */
export const FIRST_ACCOUNT = '000000000001' as AccountId

/** Parses a host name: one RFC 1123 label in lower case. */
export function parseHostName(text: string): HostName | undefined {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text) ? (text as HostName) : undefined
}

/** In ascending order of id. */
export function byId<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
