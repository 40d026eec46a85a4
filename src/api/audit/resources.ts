/**
 * The resources that a value of a request or an answer names, with CloudTrail's types. Pure.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-template-resource-type-ref.html
 */
import type { AuditResource } from '../../model/audit.ts'

/** The type of each kind of id. */
const TYPES: Readonly<Record<string, string>> = {
  i: 'AWS::EC2::Instance',
  ami: 'AWS::EC2::Ami',
  vpc: 'AWS::EC2::VPC',
  subnet: 'AWS::EC2::Subnet',
  eni: 'AWS::EC2::NetworkInterface',
  sg: 'AWS::EC2::SecurityGroup',
  sgr: 'AWS::EC2::SecurityGroupRule',
  key: 'AWS::EC2::KeyPair',
  vol: 'AWS::EC2::Volume',
  snap: 'AWS::EC2::Snapshot',
  igw: 'AWS::EC2::InternetGateway',
  rtb: 'AWS::EC2::RouteTable',
  nat: 'AWS::EC2::NatGateway',
  acl: 'AWS::EC2::NetworkAcl',
  dopt: 'AWS::EC2::DHCPOptions',
  eipalloc: 'AWS::EC2::EIP',
  eipassoc: 'AWS::EC2::EIPAssociation',
  fl: 'AWS::EC2::FlowLog',
  pcx: 'AWS::EC2::VPCPeeringConnection',
  lt: 'AWS::EC2::LaunchTemplate',
  pg: 'AWS::EC2::PlacementGroup',
  pl: 'AWS::EC2::PrefixList',
}
/** Members that name a resource by something else than its id. */
const NAMES: Readonly<Record<string, string>> = {
  AccessKeyId: 'AWS::IAM::AccessKey',
  UserName: 'AWS::IAM::User',
  RoleName: 'AWS::IAM::Role',
  RoleArn: 'AWS::IAM::Role',
  PolicyArn: 'AWS::IAM::Policy',
  PolicyName: 'AWS::IAM::Policy',
  InstanceProfileName: 'AWS::IAM::InstanceProfile',
  KeyName: 'AWS::EC2::KeyPair',
  GroupName: 'AWS::EC2::SecurityGroup',
  GroupNames: 'AWS::EC2::SecurityGroup',
  LaunchTemplateName: 'AWS::EC2::LaunchTemplate',
}
/** Members whose text is the client's own. */
const FREE_TEXT: ReadonlySet<string> = new Set([
  ...['Key', 'Value', 'Values', 'Description', 'ClientToken', 'NextToken', 'PolicyDocument'],
  ...['AssumeRolePolicyDocument', 'Policy', 'Name'],
])
/** Longest name of a resource; no name of ours is longer. */
const NAME_LIMIT = 255
const ID = /^([a-z]+)-[0-9a-f]{8,17}$/

/** The resource that this value of this member is. */
export function resourceOf(member: string, value: string): AuditResource | undefined {
  if (value.length > NAME_LIMIT || FREE_TEXT.has(member)) return undefined
  const [, prefix = ''] = ID.exec(value) ?? []
  const type = Object.hasOwn(TYPES, prefix) ? TYPES[prefix] : NAMES[member]
  return type === undefined ? undefined : { type, name: value }
}
