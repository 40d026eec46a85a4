/**
 * ModifyInstanceAttribute: changes an attribute of an existing instance.
 *
 * It changes one attribute at a time, named by its own member (`DisableApiTermination.Value=true`)
 * or by `Attribute` and `Value`. An attribute that cannot change here is refused by name, unless
 * the request names its current value.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
 */

import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { GroupId } from '../../model/ids.ts'
import { INSTANCE_OPTIONS, type InstanceOptions } from '../../model/instance-options.ts'
import type { InstanceChange } from '../../model/lifecycle.ts'
import type { Instance } from '../../model/records.ts'
import type { Tx } from '../../store/store.ts'
import type { ApiSettings, Call } from '../action.ts'
import { changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import { changeType } from '../launch/change-type.ts'
import { blockDevicesSchema } from '../launch/disk.ts'
import { userDataSchema } from '../launch/request.ts'
import { onlyNic, setSourceDestCheck } from '../networks/only-nic.ts'
import { putIntoGroups } from '../networks/security-groups.ts'
import { ParameterRefusal, parseInput } from '../parameters.ts'
import {
  idListSchema,
  idSchema,
  onlySchema,
  textSchema,
  withCode,
  withoutEffect,
} from '../schemas.ts'
import type { Scalar } from '../wire/model.ts'
import { parseScalar } from '../wire/query.ts'

/** The effect of one attribute's new value. */
interface Change {
  /** Undefined if the attribute is in another record, or does not change. */
  readonly change?: InstanceChange
  /** EC2 changes it only while the instance is stopped. */
  readonly whileStopped?: true
  /** Further writes. */
  readonly write?: (
    tx: Tx,
    instance: Instance,
    settings: ApiSettings,
  ) => Promise<InstanceChange | undefined>
}

const flag = z.strictObject({ Value: z.boolean() })

function only<T extends string | boolean>(value: T, why: string) {
  return z.strictObject({ Value: onlySchema(value, why) })
}

const NO_KERNELS = 'an instance’s image says how it boots, and that cannot be changed'

/** The schema of each attribute, by its member of the request. */
const attributeSchemas = {
  BlockDeviceMappings: blockDevicesSchema(
    z.strictObject({
      DeleteOnTermination: z.boolean(),
      VolumeId: idSchema('vol', 'InvalidVolumeID.Malformed').optional(),
    }),
  ),
  DisableApiTermination: flag,
  DisableApiStop: flag,
  EbsOptimized: withoutEffect(flag, 'shown'),
  InstanceInitiatedShutdownBehavior: z.strictObject({ Value: z.enum(['stop', 'terminate']) }),
  UserData: z.strictObject({ Value: userDataSchema }),
  InstanceType: z.strictObject({ Value: textSchema }),
  Groups: idListSchema('sg', 'InvalidGroupId.Malformed'),
  SourceDestCheck: flag,
  EnaSupport: only(false, 'EnaSupport: there is no such adapter'),
  SriovNetSupport: only('', 'SriovNetSupport: there is no such adapter'),
  EnclaveOptions: z.strictObject({
    Enabled: onlySchema(false, 'EnclaveOptions: there are no enclaves'),
  }),
  Kernel: only('', `Kernel: ${NO_KERNELS}`),
  Ramdisk: only('', `Ramdisk: ${NO_KERNELS}`),
}
type Member = keyof typeof attributeSchemas
const MEMBERS = Object.keys(attributeSchemas) as Member[]

const SEVERAL = 'Fields for multiple attribute types specified'
const modifySchema = z
  .strictObject({
    InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
    ...attributeSchemas,
  })
  .partial()
  .required({ InstanceId: true })
  .refine((given) => MEMBERS.filter((member) => isGiven(given[member])).length === 1, {
    error: ({ input }) =>
      MEMBERS.some((member) => isGiven((input as Given)[member]))
        ? SEVERAL
        : 'No attributes specified.',
    ...withCode('InvalidParameterCombination'),
  })
type Given = { readonly [Name in Member]?: unknown }

function isGiven(value: unknown): boolean {
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}

/** The member for each value of `Attribute`. Other attributes only have members of their own. */
const BY_NAME: Readonly<Record<string, readonly [member: Member, type?: Scalar]>> = {
  instanceType: ['InstanceType', 'string'],
  kernel: ['Kernel', 'string'],
  ramdisk: ['Ramdisk', 'string'],
  userData: ['UserData', 'blob'],
  disableApiTermination: ['DisableApiTermination', 'boolean'],
  disableApiStop: ['DisableApiStop', 'boolean'],
  instanceInitiatedShutdownBehavior: ['InstanceInitiatedShutdownBehavior', 'string'],
  ebsOptimized: ['EbsOptimized', 'boolean'],
  enaSupport: ['EnaSupport', 'boolean'],
  sriovNetSupport: ['SriovNetSupport', 'string'],
  sourceDestCheck: ['SourceDestCheck', 'boolean'],
  blockDeviceMapping: ['BlockDeviceMappings'],
  groupSet: ['Groups'],
}

/** The input with the member that `Attribute` and `Value` mean. */
function unnamed({ Attribute: name, Value: value, ...input }: Call['input']): Call['input'] {
  if (name === undefined && value === undefined) return input
  if (name === undefined) throw missing('Attribute')
  const [member, type] = Object.hasOwn(BY_NAME, String(name)) ? (BY_NAME[String(name)] ?? []) : []
  if (member === undefined)
    throw refused(
      'InvalidParameterValue',
      `Value (${String(name).slice(0, 64)}) for parameter attribute is invalid. Unknown attribute.`,
    )
  // The AWS CLI sends both the attribute's name and its own member.
  if (input[member] !== undefined && value === undefined) return input
  if (input[member] !== undefined) throw refused('InvalidParameterCombination', SEVERAL)
  if (type === undefined || value === undefined) throw missing('Value')
  return { ...input, [member]: { Value: parseScalar(type, 'Value', String(value)) } }
}

function missing(name: string): Error {
  return new ParameterRefusal(
    'MissingParameter',
    [name],
    (shown) => `The request must contain the parameter ${shown}`,
  )
}

type Parsed = z.output<typeof modifySchema>

/** The request. `Attribute` and `Value` are converted before the rest is parsed. */
const requestSchema = z
  .looseObject(
    Object.fromEntries(
      ['InstanceId', 'Attribute', 'Value', ...MEMBERS].map((name) => [
        name,
        z.unknown().optional(),
      ]),
    ),
  )
  .meta({ parsedBy: z.object({ Attribute: z.string(), Value: z.string(), ...modifySchema.shape }) })

/** The requested change. */
function changeOf(given: Parsed): Change {
  const { DisableApiTermination, DisableApiStop, InstanceInitiatedShutdownBehavior } = given
  const { EbsOptimized, UserData, InstanceType, Groups, BlockDeviceMappings = [] } = given
  const { SourceDestCheck } = given
  if (DisableApiTermination !== undefined)
    return option('disableApiTermination', DisableApiTermination.Value)
  if (DisableApiStop !== undefined) return option('disableApiStop', DisableApiStop.Value)
  if (InstanceInitiatedShutdownBehavior !== undefined)
    return option('shutdownBehavior', InstanceInitiatedShutdownBehavior.Value)
  if (EbsOptimized !== undefined)
    return { ...option('ebsOptimized', EbsOptimized.Value), whileStopped: true }
  if (UserData !== undefined)
    return {
      change: { userData: UserData.Value === '' ? null : UserData.Value },
      whileStopped: true,
    }
  if (InstanceType !== undefined)
    return {
      whileStopped: true,
      write: (tx, instance, settings) => changeType(tx, instance, InstanceType.Value, settings),
    }
  if (Groups !== undefined && Groups.length > 0)
    return { write: (tx, instance, settings) => setGroups(tx, instance, Groups, settings) }
  if (SourceDestCheck !== undefined)
    return {
      write: (tx, instance, settings) =>
        setSourceDestCheck(tx, instance, SourceDestCheck.Value, settings),
    }
  const [mapping] = BlockDeviceMappings
  return mapping === undefined
    ? {}
    : { write: (tx, instance) => keepDisk(tx, instance, mapping.Ebs) }
}

function option<Name extends keyof InstanceOptions>(
  name: Name,
  value: InstanceOptions[Name],
): Change {
  return {
    write: async (_tx, { options = INSTANCE_OPTIONS }) => ({
      options: { ...options, [name]: value },
    }),
  }
}

/** ModifyInstanceAttribute. */
export const modifyInstanceAttribute = changeAction({
  name: 'ModifyInstanceAttribute',
  input: requestSchema,
  prepare: (given) => {
    const asked = parseInput(modifySchema, unnamed(given))
    return { id: asked.InstanceId, ...changeOf(asked) }
  },
  async change(tx, { id, change, whileStopped, write }, { account, settings }) {
    const instance = await requireInstance(tx, account, id)
    // The fate of the disk is decided when termination is requested. Both requests advance the
    // host's generation, so one sees the other.
    if (instance.wanted === 'terminate')
      throw refused('IncorrectInstanceState', `The instance '${id}' is being terminated`)
    if (whileStopped === true && instance.state !== 'stopped')
      throw refused('IncorrectInstanceState', `The instance '${id}' is not in the 'stopped' state.`)
    const written = await write?.(tx, instance, settings)
    await tx.updateInstance(id, { ...change, ...written })
  },
})

/** Sets whether the root disk is deleted with the instance. */
async function keepDisk(
  tx: Tx,
  { id }: Instance,
  ebs: { readonly DeleteOnTermination: boolean; readonly VolumeId?: string | undefined },
): Promise<undefined> {
  const [volume] = await tx.volumes({ instances: [id] })
  if (volume === undefined)
    throw refused('InvalidParameterCombination', `The root of '${id}' is not a volume`)
  if (ebs.VolumeId !== undefined && ebs.VolumeId !== volume.id)
    throw refused(
      'InvalidParameterCombination',
      `The volume of '${id}' is '${volume.id}', not '${ebs.VolumeId}'`,
    )
  await tx.updateVolume(volume.id, { deleteOnTermination: ebs.DeleteOnTermination })
}

/** Sets the groups of the instance's NIC, if it has only one. */
async function setGroups(
  tx: Tx,
  instance: Instance,
  wanted: readonly GroupId[],
  settings: Pick<ApiSettings, 'quotas'>,
): Promise<undefined> {
  await putIntoGroups(tx, await onlyNic(tx, instance), wanted, settings)
}
