/**
 * The resources that a request concerns, for policies: those that it names, those that it makes,
 * and those that it leaves to the cloud. Pure.
 *
 * As in EC2, lists concern no single resource: their resource is `*`.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
import { iamArn } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { AskedResource } from '../../model/policy-decision.ts'

/** A resource, with its id if it has one. */
export interface RequestResource extends Omit<AskedResource, 'tags'> {
  /** Null: it has none that is known. */
  readonly id: string | null
  /** The request makes it, so it has no tags but those of the request. */
  readonly isNew: boolean
}

/** Where the resources are. */
interface Place {
  readonly account: AccountId
  readonly region: string
}

type Input = Readonly<Record<string, unknown>>

/** The type in an ARN of each kind of id. */
const TYPES: Readonly<Record<string, string>> = {
  i: 'instance',
  ami: 'image',
  vpc: 'vpc',
  subnet: 'subnet',
  eni: 'network-interface',
  sg: 'security-group',
  sgr: 'security-group-rule',
  key: 'key-pair',
  vol: 'volume',
  snap: 'snapshot',
  igw: 'internet-gateway',
  rtb: 'route-table',
  nat: 'natgateway',
  acl: 'network-acl',
  dopt: 'dhcp-options',
  eipalloc: 'elastic-ip',
  fl: 'vpc-flow-log',
  pcx: 'vpc-peering-connection',
  lt: 'launch-template',
  pg: 'placement-group',
  pl: 'prefix-list',
}
/** Types whose ARNs have the name of the resource. An id tells of its tags only. */
const NAMED_BY_NAME: ReadonlySet<string> = new Set(['key-pair', 'placement-group'])
/** Ids of what belongs to a resource. Which one is not known here. */
const PARTS: Readonly<Record<string, string>> = {
  eipassoc: 'elastic-ip',
  rtbassoc: 'route-table',
  aclassoc: 'network-acl',
  'eni-attach': 'network-interface',
  'iip-assoc': 'instance',
}
/** Members that name a resource by something else than its id. */
const NAMES: Readonly<Record<string, string>> = {
  GroupName: 'security-group',
  GroupNames: 'security-group',
  SecurityGroups: 'security-group',
  SourceSecurityGroupName: 'security-group',
  PublicIp: 'elastic-ip',
  PublicIps: 'elastic-ip',
  LaunchTemplateName: 'launch-template',
  LaunchTemplateNames: 'launch-template',
}
/** Members whose text is the client's own. */
const FREE_TEXT: ReadonlySet<string> = new Set([
  ...['Filters', 'Filter', 'Tags', 'TagSpecifications', 'UserData', 'Description', 'ClientToken'],
  ...['NextToken', 'Name', 'PublicKeyMaterial', 'LogGroupName', 'LogDestination', 'DryRun'],
  // Who launches from it needs the rights.
  'LaunchTemplateData',
])
/** What actions make. A key pair is named by the request. */
const MAKES: Readonly<Record<string, readonly string[]>> = {
  RunInstances: ['instance', 'network-interface', 'volume'],
  AllocateAddress: ['elastic-ip'],
  CopyImage: ['image'],
  RegisterImage: ['image'],
  CreateDefaultVpc: ['vpc'],
  CreateDefaultSubnet: ['subnet'],
  CreateImage: ['image'],
  CreateFlowLogs: ['vpc-flow-log'],
  CreateNatGateway: ['natgateway'],
  CreatePlacementGroup: ['placement-group'],
  CreateManagedPrefixList: ['prefix-list'],
  AuthorizeSecurityGroupIngress: ['security-group-rule'],
  AuthorizeSecurityGroupEgress: ['security-group-rule'],
  ...Object.fromEntries(
    [
      ...['vpc', 'subnet', 'security-group', 'network-interface', 'internet-gateway'],
      ...['route-table', 'network-acl', 'dhcp-options', 'vpc-peering-connection'],
      ...['launch-template', 'volume', 'snapshot'],
    ].map((type) => [`Create${camel(type)}`, [type]]),
  ),
}
/** What the cloud chooses where the request names none of the type. */
const CHOSEN: Readonly<Record<string, readonly string[]>> = {
  RunInstances: ['subnet', 'security-group'],
  CreateNetworkInterface: ['security-group'],
  CreateSecurityGroup: ['vpc'],
  CreateDefaultSubnet: ['vpc'],
}
/** What a launch template may name for the request. */
const OF_TEMPLATES = ['image', 'key-pair', 'network-interface']

/** The resources of a request to EC2. `*` when it concerns none. */
export function ec2Resources(
  action: string,
  input: Input,
  place: Place,
): readonly RequestResource[] {
  if (/^Describe/.test(action) && !action.endsWith('Attribute')) return [everything()]
  const found = new Map<string, RequestResource>()
  const add = (type: string, more: Partial<RequestResource> & { readonly name?: string }) => {
    const { name = '*', ...rest } = more
    const arn = arnOf(type, name, place)
    const requestTags = requestTagsOf(action, type, input, more.isNew === true)
    const key = `${arn} ${more.isNew === true} ${more.id ?? ''}`
    found.set(key, { id: null, isNew: false, isUnnamed: false, ...rest, arn, requestTags })
  }
  walk(input, '', (member, text, path) => {
    const [, prefix = ''] = /^([a-z-]+)-[0-9a-f]{8,17}$/.exec(text) ?? []
    const type = TYPES[prefix]
    const part = PARTS[prefix]
    if (type !== undefined && NAMED_BY_NAME.has(type)) add(type, { isUnnamed: true, id: text })
    else if (type !== undefined) add(type, { name: text, id: text })
    else if (part !== undefined) add(part, { isUnnamed: true })
    else if (member === 'KeyName' || member === 'KeyNames')
      add('key-pair', { name: text, isNew: /^(?:Create|Import)KeyPair$/.test(action) })
    else if (/^GroupNames?$/.test(member) && /Placement/.test(`${action} ${path}`))
      add('placement-group', { name: text })
    else if (NAMES[member] !== undefined && !(action === 'CreateSecurityGroup'))
      add(NAMES[member], { isUnnamed: true })
  })
  const has = (type: string) => [...found.values()].some(({ arn }) => arn.includes(`:${type}/`))
  const ofTemplate = input['LaunchTemplate'] === undefined ? [] : OF_TEMPLATES
  for (const type of [...(CHOSEN[action] ?? []), ...ofTemplate])
    if (!has(type)) add(type, { isUnnamed: true })
  for (const type of MAKES[action] ?? []) add(type, { isNew: true })
  return found.size === 0 ? [everything()] : [...found.values()]
}

/** A user, role or instance profile that a request to IAM concerns. */
export interface IamSubject {
  readonly type: 'user' | 'role' | 'group' | 'instance-profile'
  readonly name: string
  /** What the request says of a new one. */
  readonly path: string
  /** It will have the path, also if there is one of the name. */
  readonly moves?: true
  /** The user or group whose path a new name keeps. */
  readonly pathOf?: string
}

/**
 * What a request to IAM concerns: the user, role or profile that it names, or the user who asks.
 * Actions that list concern nothing.
 */
export function iamSubjects(
  action: string,
  input: Input,
  { user, role }: { readonly user: string; readonly role?: unknown },
): readonly IamSubject[] {
  const path = typeof input['Path'] === 'string' ? input['Path'] : '/'
  const named = (type: IamSubject['type'], member: string): readonly IamSubject[] => {
    const name = input[member]
    return typeof name === 'string' ? [{ type, name, path }] : []
  }
  if (/InstanceProfile(?:Tags)?$/.test(action))
    return named('instance-profile', 'InstanceProfileName')
  if (/Role/.test(action)) return named('role', 'RoleName')
  if (/Group/.test(action) && action !== 'ListGroupsForUser')
    return [...named('group', 'GroupName'), ...renamed(action, input)]
  // Which user a key belongs to is not known here.
  const others = ['ListUsers', 'GetAccessKeyLastUsed', 'ListVirtualMFADevices']
  const ofUsers = /User|AccessKey|LoginProfile|MFADevices|SSHPublicKey|SigningCert|ServiceSpecific/
  if (!ofUsers.test(action) || others.includes(action)) return []
  const subjects = named('user', 'UserName')
  if (subjects.length > 0 || role !== undefined) return [...subjects, ...renamed(action, input)]
  return [{ type: 'user', name: user, path }]
}

/** The new name of a user or group, which must be allowed, too. */
function renamed(action: string, input: Input): readonly IamSubject[] {
  const type = action === 'UpdateUser' ? 'user' : action === 'UpdateGroup' ? 'group' : null
  if (type === null) return []
  const [old, to] =
    type === 'user'
      ? [input['UserName'], input['NewUserName']]
      : [input['GroupName'], input['NewGroupName']]
  const path = input['NewPath']
  if (to === undefined && path === undefined) return []
  const moved = { type, name: String(to ?? old) } as const
  if (typeof path === 'string') return [{ ...moved, path, moves: true }]
  return [{ ...moved, path: '/', pathOf: String(old) }]
}

/**
 * The ARN of the managed policy that a request to IAM makes, shows, changes or removes, or of
 * whoever has the policies that it simulates. Undefined if it concerns none, or who has it.
 */
export function policySubject(
  action: string,
  input: Input,
  account: AccountId,
): string | undefined {
  const { PolicySourceArn: source } = input
  if (action === 'SimulatePrincipalPolicy' && typeof source === 'string') return source
  if (!/Policy(?:Versions?|Tags)?$/.test(action) || /User|Role|Group/.test(action)) return undefined
  const { Path: path = '/', PolicyName: name, PolicyArn: arn } = input
  if (action === 'CreatePolicy')
    return iamArn('policy', { account, path: String(path), name: String(name) })
  return typeof arn === 'string' ? arn : undefined
}

/** For requests that concern no single resource. */
export function everything(): RequestResource {
  return { arn: '*', id: null, isNew: false, isUnnamed: false, requestTags: new Map() }
}

/** An image belongs to no account in its ARN, as in AWS. */
function arnOf(type: string, name: string, { account, region }: Place): string {
  const owner = type === 'image' || type === 'snapshot' ? '' : account
  return `arn:aws:ec2:${region}:${owner}:${type}/${name}`
}

/** Calls `found` for each text below, with the member that has it and the names above it. */
function walk(
  value: unknown,
  path: string,
  found: (member: string, text: string, path: string) => void,
): void {
  const member = path.slice(path.lastIndexOf('.') + 1)
  if (typeof value === 'string') found(member, value, path)
  else if (Array.isArray(value)) for (const one of value) walk(one, path, found)
  else if (typeof value === 'object' && value !== null)
    for (const [name, one] of Object.entries(value))
      if (!FREE_TEXT.has(name)) walk(one, `${path}.${name}`, found)
}

/** The tags that the request gives a resource, or takes from it. Null: not known. */
function requestTagsOf(
  action: string,
  type: string,
  input: Input,
  isNew: boolean,
): ReadonlyMap<string, string> | null {
  // Without any it deletes all, whichever they are.
  if (action === 'DeleteTags' && tagsIn(input['Tags']).size === 0) return null
  if (action === 'CreateTags' || action === 'DeleteTags') return tagsIn(input['Tags'])
  if (!isNew) return new Map()
  if (input['CopyImageTags'] === true) return null
  const specifications: readonly unknown[] = Array.isArray(input['TagSpecifications'])
    ? input['TagSpecifications']
    : []
  const tags = specifications.flatMap((one) =>
    isRecord(one) && one['ResourceType'] === type ? [...tagsIn(one['Tags'])] : [],
  )
  return new Map(tags)
}

function tagsIn(value: unknown): ReadonlyMap<string, string> {
  const list: readonly unknown[] = Array.isArray(value) ? value : []
  return new Map(
    list.flatMap((tag): [string, string][] =>
      isRecord(tag) && typeof tag['Key'] === 'string'
        ? [[tag['Key'], typeof tag['Value'] === 'string' ? tag['Value'] : '']]
        : [],
    ),
  )
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** `network-acl` → `NetworkAcl`. */
function camel(type: string): string {
  return type.replaceAll(/(?:^|-)([a-z])/g, (_all, letter: string) => letter.toUpperCase())
}
