/**
 * The parameters of RunInstances, parsed to one order. Pure.
 *
 * There are three kinds of parameter: those that Atoll carries out or shows as given; those that
 * have no effect and are not shown (`HARMLESS`); and all others, which would change the result and
 * are refused by name. The network comes either from parameters of the request or from one
 * `NetworkInterfaces` entry, never from both.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { ImageId, LaunchTemplateId } from '../../model/ids.ts'
import type { InstanceOptions } from '../../model/instance-options.ts'
import type { MetadataOptions } from '../../model/metadata-options.ts'
import { INTERFACES_MAX } from '../../model/nic-limits.ts'
import { isRecoverTag, KEEP_DISK, type Recovering } from '../../model/recovery.ts'
import { KIB } from '../../model/sizes.ts'
import { isStorageKind, isStorageTag, type StorageKind } from '../../model/storage.ts'
import { type ProfileReference, profileReferenceSchema } from '../instances/instance-profiles.ts'
import { askedMetadata, metadataShape } from '../instances/metadata-options.ts'
import { ANY_ADDRESS, namesAddress } from '../networks/nic-addresses.ts'
import {
  idListSchema,
  idSchema,
  ipv4Schema,
  namesSchema,
  onlySchema,
  tagSpecificationsSchema,
  textSchema,
  withCode,
  withoutEffect,
} from '../schemas.ts'
import { parseBase64 } from '../wire/base64.ts'
import { type DiskRequest, launchDevicesSchema, parseDiskRequest } from './disk.ts'
import { fixedPlacement, fixedShape } from './fixed-parameters.ts'
import { launchNicSchema, type NicOrder, nicOrders } from './nics.ts'
import { launchOptions, optionsShape } from './options.ts'
import {
  type PlacementGroupOrder,
  placementGroupOrder,
  placementGroupShape,
} from './placement-group.ts'
import { templateSchema } from './template-reference.ts'

/** What one RunInstances requests, not yet checked against the records. */
export interface LaunchRequest {
  readonly image: ImageId
  readonly type: string
  readonly minCount: number
  readonly maxCount: number
  readonly network: LaunchNetwork
  /** Null: none is named. */
  readonly disk: DiskRequest | null
  /** The kind of storage that is to have the disk. Null: its host. */
  readonly storedOn: StorageKind | null
  /** Whether what is started again elsewhere is to have the same disk. */
  readonly keepsDisk: boolean
  /** The number that the type must have. Null: any. */
  readonly cores: number | null
  readonly keyName: string | null
  /** Base64, without white space. */
  readonly userData: string | null
  readonly tags: z.output<ReturnType<typeof tagSpecificationsSchema>>
  readonly clientToken: string | null
  /** The account's defaults apply to missing options. */
  readonly metadata: Partial<MetadataOptions>
  readonly options: InstanceOptions
  /** `unsaid`: to be recovered, but nothing says that the disk may be lost. */
  readonly recovery: Recovering | 'unsaid'
  /** Where the parameters came from. Null: all are the request's own. */
  readonly template: { readonly id: LaunchTemplateId; readonly version: number } | null
  /** Null: outside of any placement group. */
  readonly placementGroup: PlacementGroupOrder | null
  /** Null: instances without a role. */
  readonly profile: ProfileReference | null
}

/** The first NIC of each instance, and what concerns all. */
export interface LaunchNetwork extends NicOrder {
  readonly zone: string | undefined
  /** Whether each instance gets a public address; undefined: as its subnet says. */
  readonly isPublic: boolean | undefined
  /** Further NICs, by device index. */
  readonly further: readonly NicOrder[]
}

/** EC2's default would be m1.small, which is obsolete. */
const DEFAULT_TYPE = 't3.micro'
/** "User data is limited to 16 KB, in raw form, before it is base64-encoded" (EC2 user guide). */
const USER_DATA_MAX_BYTES = 16 * KIB
/** Base64 of that with line breaks. Longer text is refused without decoding. */
const USER_DATA_TEXT_MAX_LENGTH = 32 * KIB
const CLIENT_TOKEN_MAX_LENGTH = 64

const groupId = idListSchema('sg', 'InvalidGroupId.Malformed')
const subnetId = idSchema('subnet', 'InvalidSubnetID.Malformed')

/** User data as it is stored. */
export const userDataSchema = z
  .string()
  .max(USER_DATA_TEXT_MAX_LENGTH, `User data is limited to ${USER_DATA_MAX_BYTES} bytes`)
  .transform((text, context) => {
    const base64 = parseBase64(text)
    if (base64 !== undefined) return base64
    const message = 'Invalid BASE64 encoding of user data.'
    context.addIssue({ code: 'custom', message, ...withCode('InvalidUserData.Malformed') })
    return z.NEVER
  })
  .refine(
    (text) => Buffer.byteLength(text, 'base64') <= USER_DATA_MAX_BYTES,
    `User data is limited to ${USER_DATA_MAX_BYTES} bytes`,
  )

/** Accepted with any value, and not shown. */
const ignored = withoutEffect(z.unknown().optional())

/**
 * Parameters without effect. Those with an `onlySchema` accept only the value that describes every
 * instance of Atoll.
 */
const HARMLESS = {
  AdditionalInfo: ignored,
  HibernationOptions: z
    .strictObject({ Configured: onlySchema(false, 'HibernationOptions: cannot hibernate') })
    .optional(),
  EnclaveOptions: z
    .strictObject({ Enabled: onlySchema(false, 'EnclaveOptions: there are no enclaves') })
    .optional(),
}

/** What EC2 allows a launch to tag. The last two are never created, so their tags are not used. */
const TAGGED = [
  'instance',
  'volume',
  'network-interface',
  'spot-instances-request',
  'elastic-gpu',
] as const

/** Every parameter of a launch. */
export const launchShape = {
  ...HARMLESS,
  ...optionsShape,
  ImageId: idSchema('ami', 'InvalidAMIID.Malformed'),
  InstanceType: textSchema.default(DEFAULT_TYPE),
  MinCount: z.int().min(1),
  MaxCount: z.int().min(1),
  KeyName: textSchema.optional(),
  UserData: userDataSchema.optional(),
  SubnetId: subnetId.optional(),
  PrivateIpAddress: ipv4Schema.optional(),
  SecurityGroupIds: groupId.default([]),
  SecurityGroups: namesSchema,
  NetworkInterfaces: z.array(launchNicSchema).max(INTERFACES_MAX).default([]),
  Placement: z
    .strictObject({
      AvailabilityZone: textSchema.optional(),
      ...placementGroupShape,
      ...fixedPlacement,
    })
    .default({}),
  BlockDeviceMappings: launchDevicesSchema,
  TagSpecifications: tagSpecificationsSchema(TAGGED),
  IamInstanceProfile: profileReferenceSchema.optional(),
  MetadataOptions: z.strictObject(metadataShape).default({}),
  ClientToken: z
    .string()
    .max(CLIENT_TOKEN_MAX_LENGTH)
    .regex(/^[\x20-\x7e]*$/, 'printable ASCII only')
    .optional(),
  LaunchTemplate: templateSchema.optional(),
  ...fixedShape,
}
const givenSchema = z.strictObject(launchShape)

/**
 * The parameters of RunInstances, except `DryRun`. Refuses what EC2 refuses, and what Atoll cannot
 * do.
 */
export const launchSchema = z.preprocess(withoutEmptyStructures, givenSchema)

/** The order in a request's parameters. */
export function parseLaunchRequest(given: Given, maxInstances: number): LaunchRequest {
  refuseCounts(given, maxInstances)
  const network = networkOf(given)
  const nics = [network, ...network.further]
  if (given.MaxCount > 1 && nics.some(namesAddress))
    throw refused(
      'InvalidParameterCombination',
      'PrivateIpAddress names one address: MinCount and MaxCount must be 1',
    )
  if (given.MaxCount > 1 && nics.some(({ existing }) => existing !== undefined))
    throw refused(
      'InvalidParameterCombination',
      'NetworkInterfaceId names one network interface: MinCount and MaxCount must be 1',
    )
  return {
    image: given.ImageId,
    type: given.InstanceType,
    minCount: given.MinCount,
    maxCount: given.MaxCount,
    network,
    disk: parseDiskRequest(given.BlockDeviceMappings),
    storedOn: storageAsked(given),
    keepsDisk: isTagged(
      given,
      'instance',
      ({ Key, Value }) => isRecoverTag(Key) && Value === KEEP_DISK,
    ),
    cores: given.CpuOptions?.CoreCount ?? null,
    keyName: given.KeyName ?? null,
    userData: given.UserData ?? null,
    tags: given.TagSpecifications,
    clientToken: given.ClientToken ?? null,
    metadata: askedMetadata(given.MetadataOptions),
    ...recoveryOf(given),
    template: null,
    placementGroup: placementGroupOrder(given.Placement),
    profile: given.IamInstanceProfile ?? null,
  }
}

/** What becomes of the instances when their host is lost. */
function recoveryOf(given: Given): Pick<LaunchRequest, 'options' | 'recovery'> {
  const options = launchOptions(given)
  const asked = given.MaintenanceOptions.AutoRecovery
  const isWanted = isTagged(given, 'instance', ({ Key }) => isRecoverTag(Key))
  if (!isWanted || asked === 'disabled')
    return { options, recovery: asked === 'default' ? 'unsaid' : 'keep' }
  return { options: { ...options, autoRecovery: 'default' }, recovery: 'recover' }
}

/** The kind of storage that the tag of the volumes asks for. */
function storageAsked({ TagSpecifications }: Given): StorageKind | null {
  const tags = TagSpecifications.filter(({ ResourceType }) => ResourceType === 'volume')
  const values = tags.flatMap(({ Tags }) => Tags).filter(({ Key }) => isStorageTag(Key))
  return values.map(({ Value }) => Value).find(isStorageKind) ?? null
}

/** Whether a new resource of this type is to have such a tag. */
function isTagged(
  { TagSpecifications }: Given,
  type: string,
  is: (tag: { readonly Key: string; readonly Value: string }) => boolean,
): boolean {
  return TagSpecifications.some(({ ResourceType, Tags }) => ResourceType === type && Tags.some(is))
}

/**
 * Some clients send a structure with only empty members (`IamInstanceProfile.Name=`), which
 * requests nothing.
 */
export function withoutEmptyStructures(input: unknown): unknown {
  if (typeof input !== 'object' || input === null) return input
  return Object.fromEntries(
    Object.entries(input).filter(
      ([, value]) => typeof value !== 'object' || value === null || Object.keys(value).length > 0,
    ),
  )
}

type Given = z.output<typeof givenSchema>

function refuseCounts({ MinCount, MaxCount }: Given, maxInstances: number): void {
  if (MinCount > MaxCount) {
    throw refused(
      'InvalidParameterCombination',
      `MinCount (${MinCount}) may not be greater than MaxCount (${MaxCount})`,
    )
  }
  if (MaxCount > maxInstances) {
    throw refused(
      'InstanceLimitExceeded',
      `You have requested ${MaxCount} instances; one request may launch at most ${maxInstances}`,
    )
  }
}

function networkOf(given: Given): LaunchNetwork {
  const [first, ...further] = nicOrders(given.NetworkInterfaces)
  const zone = given.Placement.AvailabilityZone
  if (first === undefined)
    return {
      ...ANY_ADDRESS,
      ...{ deviceIndex: 0, existing: undefined, description: undefined },
      deleteOnTermination: undefined,
      subnet: given.SubnetId,
      zone,
      ip: given.PrivateIpAddress,
      groupIds: given.SecurityGroupIds,
      groupNames: given.SecurityGroups,
      isPublic: undefined,
      further,
    }
  const mixed = {
    'subnet ID': given.SubnetId !== undefined,
    'private IP address': given.PrivateIpAddress !== undefined,
    'security groups': given.SecurityGroupIds.length > 0 || given.SecurityGroups.length > 0,
  }
  for (const [what, isMixed] of Object.entries(mixed))
    if (isMixed)
      throw refused(
        'InvalidParameterCombination',
        `Network interfaces and an instance-level ${what} may not be specified on the same request`,
      )
  // An existing interface has its addresses, and with several none gets a public one by itself.
  const isGiven = first.existing !== undefined || further.length > 0
  const asked = given.NetworkInterfaces[0]?.AssociatePublicIpAddress
  return { ...first, zone, further, isPublic: isGiven ? false : asked }
}
