/** Every action that the API answers. */
import type { Action } from '../action.ts'
import { absentActions } from './absent.ts'
import {
  describeIdFormat,
  describeSpotDatafeedSubscription,
  getAllowedImagesSettings,
  getEbsEncryptionByDefault,
  getImageBlockPublicAccessState,
  getSerialConsoleAccessStatus,
  getSnapshotBlockPublicAccessState,
} from './account-settings.ts'
import { createImage } from './create-image.ts'
import { createKeyPair } from './create-key-pair.ts'
import { createTags } from './create-tags.ts'
import { deleteKeyPair } from './delete-key-pair.ts'
import { deleteTags } from './delete-tags.ts'
import { deleteVolume } from './delete-volume.ts'
import { deregisterImage } from './deregister-image.ts'
import { describeImageAttribute } from './image-attributes.ts'
import { describeImages } from './images.ts'
import { importKeyPair } from './import-key-pair.ts'
import {
  describeInstanceAttribute,
  describeInstanceCreditSpecifications,
  getPasswordData,
} from './instance-attributes.ts'
import { describeInstanceTypeOfferings, describeInstanceTypes } from './instance-types.ts'
import { describeInstanceStatus, describeInstances, getConsoleOutput } from './instances.ts'
import { describeKeyPairs } from './keys.ts'
import { getInstanceMetadataDefaults } from './metadata.ts'
import { modifyInstanceAttribute } from './modify-instance-attribute.ts'
import { modifyInstanceMetadataDefaults } from './modify-instance-metadata-defaults.ts'
import { modifyInstanceMetadataOptions } from './modify-instance-metadata-options.ts'
import { monitorInstances, unmonitorInstances } from './monitor-instances.ts'
import {
  describeNetworkInterfaceAttribute,
  describeNetworkInterfaces,
} from './network-interfaces.ts'
import { describeSecurityGroups, describeSubnets, describeVpcs } from './networks.ts'
import {
  describeSecurityGroupReferences,
  describeStaleSecurityGroups,
  getSubnetCidrReservations,
} from './nothing-of.ts'
import { describeAccountAttributes, describeAvailabilityZones, describeRegions } from './places.ts'
import { rebootInstances } from './reboot-instances.ts'
import { registerImage } from './register-image.ts'
import { runInstances } from './run-instances.ts'
import { describeSecurityGroupRules } from './security-group-rules.ts'
import { startInstances } from './start-instances.ts'
import { stopInstances } from './stop-instances.ts'
import { getCallerIdentity } from './sts.ts'
import { describeTags } from './tags.ts'
import { terminateInstances } from './terminate-instances.ts'
import { describeVolumeAttribute, describeVolumeStatus } from './volume-status.ts'
import { describeVolumes } from './volumes.ts'
import {
  describeVpcAttribute,
  describeVpcClassicLink,
  describeVpcClassicLinkDnsSupport,
} from './vpc-attributes.ts'
import {
  describeDhcpOptions,
  describeInternetGateways,
  describeNetworkAcls,
  describeRouteTables,
} from './vpc-parts.ts'

/** In no particular order; each name once. */
export const allActions: readonly Action[] = [
  getCallerIdentity,
  describeRegions,
  describeAvailabilityZones,
  describeAccountAttributes,
  describeVpcs,
  describeSubnets,
  describeSecurityGroups,
  describeSecurityGroupRules,
  describeVpcAttribute,
  describeVpcClassicLink,
  describeVpcClassicLinkDnsSupport,
  describeInternetGateways,
  describeRouteTables,
  describeNetworkAcls,
  describeDhcpOptions,
  describeNetworkInterfaces,
  describeNetworkInterfaceAttribute,
  getEbsEncryptionByDefault,
  getSerialConsoleAccessStatus,
  getImageBlockPublicAccessState,
  getSnapshotBlockPublicAccessState,
  getAllowedImagesSettings,
  describeSpotDatafeedSubscription,
  describeIdFormat,
  describeStaleSecurityGroups,
  describeSecurityGroupReferences,
  getSubnetCidrReservations,
  describeInstanceTypes,
  describeInstanceTypeOfferings,
  registerImage,
  createImage,
  describeImages,
  describeImageAttribute,
  deregisterImage,
  createKeyPair,
  importKeyPair,
  describeKeyPairs,
  deleteKeyPair,
  runInstances,
  describeInstances,
  describeInstanceStatus,
  describeInstanceAttribute,
  describeInstanceCreditSpecifications,
  startInstances,
  stopInstances,
  rebootInstances,
  terminateInstances,
  getConsoleOutput,
  getPasswordData,
  modifyInstanceAttribute,
  monitorInstances,
  unmonitorInstances,
  modifyInstanceMetadataOptions,
  getInstanceMetadataDefaults,
  modifyInstanceMetadataDefaults,
  describeVolumes,
  describeVolumeStatus,
  describeVolumeAttribute,
  deleteVolume,
  createTags,
  deleteTags,
  describeTags,
  ...absentActions,
]
