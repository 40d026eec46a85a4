/** GetLaunchTemplateData: the parameters of a launch that makes such an instance. */
import type { Instance as InstanceOutput, ResponseLaunchTemplateData } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { INSTANCE_OPTIONS } from '../../model/instance-options.ts'
import type { Volume } from '../../model/records.ts'
import { isReservedKey } from '../../model/reserved-tags.ts'
import type { InstanceDetails } from '../instances/instance-details.ts'
import { findInstances, missingInstances } from '../instances/instances.ts'
import { readAction } from '../read.ts'
import { idSchema } from '../schemas.ts'
import { instanceView } from '../views/instance.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetLaunchTemplateData.html */
export const getLaunchTemplateData = readAction({
  name: 'GetLaunchTemplateData',
  input: z.strictObject({ InstanceId: idSchema('i', 'InvalidInstanceID.Malformed') }),
  async answer({ InstanceId: id }, { account, read, settings }) {
    const [details] = await read((tx) => findInstances(tx, account, [id]))
    if (details === undefined) throw missingInstances([id])
    return { LaunchTemplateData: dataOf(details, instanceView(details, settings)) }
  },
})

function dataOf(details: InstanceDetails, view: InstanceOutput): ResponseLaunchTemplateData {
  const { options = INSTANCE_OPTIONS, userData, keyName } = details.instance
  const { Placement, MetadataOptions = {} } = view
  const { State: _state, ...metadata } = MetadataOptions
  const tags = (view.Tags ?? []).filter(({ Key = '' }) => !isReservedKey(Key))
  return {
    ImageId: view.ImageId,
    InstanceType: view.InstanceType,
    ...(options.profile === null ? {} : { IamInstanceProfile: { Arn: options.profile.arn } }),
    ...(keyName === null ? {} : { KeyName: keyName }),
    ...(userData === null ? {} : { UserData: userData }),
    DisableApiTermination: options.disableApiTermination,
    DisableApiStop: options.disableApiStop,
    InstanceInitiatedShutdownBehavior: options.shutdownBehavior,
    Monitoring: { Enabled: options.monitoring },
    EbsOptimized: view.EbsOptimized,
    Placement: {
      AvailabilityZone: Placement?.AvailabilityZone,
      GroupName: Placement?.GroupName,
      PartitionNumber: Placement?.PartitionNumber,
      Tenancy: Placement?.Tenancy,
    },
    BlockDeviceMappings: details.volumes.map(deviceOf),
    NetworkInterfaces: nicsOf(view),
    MetadataOptions: metadata,
    CapacityReservationSpecification: {
      CapacityReservationPreference: options.capacityReservation,
    },
    HibernationOptions: { Configured: false },
    EnclaveOptions: { Enabled: false },
    PrivateDnsNameOptions: view.PrivateDnsNameOptions,
    MaintenanceOptions: { AutoRecovery: options.autoRecovery },
    ...(tags.length === 0 ? {} : { TagSpecifications: [{ ResourceType: 'instance', Tags: tags }] }),
  }
}

function deviceOf({ device, sizeGiB, deleteOnTermination, volumeType = 'standard' }: Volume) {
  return {
    DeviceName: device,
    Ebs: {
      DeleteOnTermination: deleteOnTermination,
      Encrypted: false,
      VolumeSize: sizeGiB,
      VolumeType: volumeType as 'standard',
    },
  }
}

function nicsOf({ NetworkInterfaces = [] }: InstanceOutput) {
  return NetworkInterfaces.map((nic) => ({
    DeviceIndex: nic.Attachment?.DeviceIndex,
    DeleteOnTermination: nic.Attachment?.DeleteOnTermination,
    Description: nic.Description,
    Groups: (nic.Groups ?? []).flatMap(({ GroupId }) => GroupId ?? []),
    InterfaceType: nic.InterfaceType,
    NetworkCardIndex: 0,
    PrivateIpAddresses: (nic.PrivateIpAddresses ?? []).map(({ Primary, PrivateIpAddress }) => ({
      Primary,
      PrivateIpAddress,
    })),
    SubnetId: nic.SubnetId,
  }))
}
