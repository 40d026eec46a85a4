/**
 * What is told of one instance by itself: DescribeInstanceAttribute, DescribeInstanceCreditSpecifications, GetPasswordData.
 *
 * Attributes that an instance does not have are answered empty, as EC2 answers them.
 */
import type {
  DescribeInstanceCreditSpecificationsResult,
  GetPasswordDataResult,
  InstanceAttribute,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import { INSTANCE_OPTIONS } from '../../model/instance-options.ts'
import type { Action, Call } from '../action.ts'
import { describe, refuseMissing } from '../describe.ts'
import { type InstanceDetails, instanceDetails } from '../instance-details.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, idListSchema, idSchema, notFound, pagedShape } from '../schemas.ts'
import { instanceView } from '../views/instance.ts'

const instanceId = idSchema('i', 'InvalidInstanceID.Malformed')

type Attributes = Readonly<
  Record<
    string,
    (details: InstanceDetails, view: ReturnType<typeof instanceView>) => InstanceAttribute
  >
>

/** By their names in the request. */
const ATTRIBUTES = {
  instanceType: (_details, view) => ({ InstanceType: { Value: view.InstanceType } }),
  kernel: () => ({ KernelId: {} }),
  ramdisk: () => ({ RamdiskId: {} }),
  userData: ({ instance: { userData } }) => ({
    UserData: userData === null ? {} : { Value: userData },
  }),
  disableApiTermination: ({ instance: { options = INSTANCE_OPTIONS } }) => ({
    DisableApiTermination: { Value: options.disableApiTermination },
  }),
  disableApiStop: ({ instance: { options = INSTANCE_OPTIONS } }) => ({
    DisableApiStop: { Value: options.disableApiStop },
  }),
  instanceInitiatedShutdownBehavior: ({ instance: { options = INSTANCE_OPTIONS } }) => ({
    InstanceInitiatedShutdownBehavior: { Value: options.shutdownBehavior },
  }),
  rootDeviceName: (_details, view) => ({ RootDeviceName: { Value: view.RootDeviceName } }),
  blockDeviceMapping: (_details, view) => ({ BlockDeviceMappings: view.BlockDeviceMappings ?? [] }),
  productCodes: () => ({ ProductCodes: [] }),
  sourceDestCheck: (_details, view) => ({
    SourceDestCheck: { Value: view.SourceDestCheck ?? true },
  }),
  groupSet: (_details, view) => ({ Groups: view.SecurityGroups ?? [] }),
  ebsOptimized: (_details, view) => ({ EbsOptimized: { Value: view.EbsOptimized } }),
  sriovNetSupport: () => ({ SriovNetSupport: {} }),
  enaSupport: (_details, view) => ({ EnaSupport: { Value: view.EnaSupport } }),
  enclaveOptions: (_details, view) => ({ EnclaveOptions: view.EnclaveOptions }),
} as const satisfies Attributes

const attributeSchema = z.strictObject({
  ...dryRunShape,
  InstanceId: instanceId,
  Attribute: z
    .string()
    .transform((name) => Object.keys(ATTRIBUTES).find((known) => known === name))
    .refine((name) => name !== undefined, 'no such attribute'),
})

/** DescribeInstanceAttribute. */
export const describeInstanceAttribute: Action = {
  name: 'DescribeInstanceAttribute',
  async run(call): Promise<InstanceAttribute> {
    const { InstanceId: id, Attribute } = parseInput(attributeSchema, call.input)
    dryRun(call)
    const details = await findInstance(call, id)
    const attributes: Attributes = ATTRIBUTES
    const read = attributes[Attribute ?? '']
    const view = instanceView(details, call.parts.settings)
    return { InstanceId: id, ...read?.(details, view) }
  },
}

const passwordSchema = z.strictObject({ ...dryRunShape, InstanceId: instanceId })

/** GetPasswordData: empty, as of every instance that does not run Windows. */
export const getPasswordData: Action = {
  name: 'GetPasswordData',
  async run(call): Promise<GetPasswordDataResult> {
    const { InstanceId: id } = parseInput(passwordSchema, call.input)
    dryRun(call)
    const { instance } = await findInstance(call, id)
    return { InstanceId: id, Timestamp: new Date(instance.launchedAt), PasswordData: '' }
  },
}

const creditSchema = z.strictObject({
  ...pagedShape(5, 1000, { larger: 'refused' }),
  InstanceIds: idListSchema('i', 'InvalidInstanceID.Malformed').default([]),
})

/** DescribeInstanceCreditSpecifications: no type is burstable, and EC2 refuses instances that are not. */
export const describeInstanceCreditSpecifications: Action = {
  name: 'DescribeInstanceCreditSpecifications',
  async run(call): Promise<DescribeInstanceCreditSpecificationsResult> {
    const input = parseInput(creditSchema, call.input)
    dryRun(call)
    for (const id of input.InstanceIds) {
      await findInstance(call, id)
      throw refused(
        'InstanceCreditSpecification.NotSupported',
        `The instance '${id}' is not of a burstable performance instance type`,
      )
    }
    await describe<never>(call, [], input, {
      action: 'DescribeInstanceCreditSpecifications',
      key: () => '',
      filters: {},
    })
    return { InstanceCreditSpecifications: [] }
  },
}

async function findInstance(call: Call, id: InstanceId): Promise<InstanceDetails> {
  const found = await call.parts.store.read((tx) => instanceDetails(tx, call.caller.account, [id]))
  const missing = (ids: readonly InstanceId[]) =>
    notFound('InvalidInstanceID.NotFound', 'instance ID', ids)
  refuseMissing([id], new Set(found.map(({ instance }) => instance.id)), missing)
  const [details] = found
  if (details === undefined) throw missing([id])
  return details
}
