/** DescribeInstanceAttribute. As in EC2, an attribute that the instance does not have is empty. */
import type { InstanceAttribute } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { INSTANCE_OPTIONS } from '../../model/instance-options.ts'
import type { InstanceDetails } from '../instances/instance-details.ts'
import { findInstances, missingInstances } from '../instances/instances.ts'
import { readAction } from '../read.ts'
import { attributeSchema, idSchema } from '../schemas.ts'
import { instanceView } from '../views/instance.ts'

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

/** One attribute of an instance. */
export const describeInstanceAttribute = readAction({
  name: 'DescribeInstanceAttribute',
  input: z.strictObject({
    InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
    Attribute: attributeSchema(Object.keys(ATTRIBUTES)),
  }),
  async answer({ InstanceId: id, Attribute }, { account, read, settings }) {
    const [details] = await read((tx) => findInstances(tx, account, [id]))
    if (details === undefined) throw missingInstances([id])
    const attributes: Attributes = ATTRIBUTES
    const attribute = attributes[Attribute]
    return { InstanceId: id, ...attribute?.(details, instanceView(details, settings)) }
  },
})
