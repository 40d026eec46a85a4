/**
 * Identifiers: what they look like and how they are told apart at compile time.
 *
 * Shapes follow EC2's long ids: a prefix and 17 hexadecimal digits
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html). Pure: randomness is an
 * argument.
 */

declare const brand: unique symbol
/** A string that only our parsers can make, so that ids of two kinds are never confused. */
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
type InternetGatewayId = Branded<'InternetGatewayId'>
type RouteTableId = Branded<'RouteTableId'>
type NetworkAclId = Branded<'NetworkAclId'>
type DhcpOptionsId = Branded<'DhcpOptionsId'>
export type SecurityGroupRuleId = Branded<'SecurityGroupRuleId'>
/** Twelve digits, as in an ARN. */
export type AccountId = Branded<'AccountId'>
/** A host's name: an RFC 1123 label, unique in the cluster. */
export type HostName = Branded<'HostName'>

/** Prefix of each kind of id, and the type it makes. */
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
  acl: NetworkAclId
  dopt: DhcpOptionsId
  sgr: SecurityGroupRuleId
}
export type IdPrefix = keyof IdTypes

/**
 * How many random bytes an id needs (17 hex digits come from 9 bytes; the last half byte is
 * dropped).
 */
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

/** Makes ids of random bytes. */
export function newIds(random: (bytes: number) => Uint8Array): NewId {
  return (prefix) => formatId(prefix, random(ID_BYTES))
}

/**
 * The id in `text` if it has the given prefix and 8 or 17 lower-case hex digits, else undefined.
 */
export function parseId<P extends IdPrefix>(prefix: P, text: string): IdTypes[P] | undefined {
  const wellFormed =
    text.startsWith(`${prefix}-`) &&
    /^(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(text.slice(prefix.length + 1))
  return wellFormed ? (text as IdTypes[P]) : undefined
}

/** The account in `text` if it is twelve digits, else undefined. */
export function parseAccountId(text: string): AccountId | undefined {
  return /^\d{12}$/.test(text) ? (text as AccountId) : undefined
}

/** The host name in `text` if it is one RFC 1123 label (lower case), else undefined. */
export function parseHostName(text: string): HostName | undefined {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text) ? (text as HostName) : undefined
}

/** In ascending order of id. */
export function byId<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
