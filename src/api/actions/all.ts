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
import { describeImageAttribute } from './image-attributes.ts'
import { deregisterImage, describeImages, registerImage } from './images.ts'
import {
  describeInstanceAttribute,
  describeInstanceCreditSpecifications,
  getPasswordData,
} from './instance-attributes.ts'
import { describeInstanceTypeOfferings, describeInstanceTypes } from './instance-types.ts'
import {
  describeInstanceStatus,
  describeInstances,
  getConsoleOutput,
  rebootInstances,
  startInstances,
  stopInstances,
  terminateInstances,
} from './instances.ts'
import { createKeyPair, deleteKeyPair, describeKeyPairs, importKeyPair } from './keys.ts'
import { runInstances } from './launch.ts'
import {
  getInstanceMetadataDefaults,
  modifyInstanceMetadataDefaults,
  modifyInstanceMetadataOptions,
} from './metadata.ts'
import { modifyInstanceAttribute, monitorInstances, unmonitorInstances } from './modify-instance.ts'
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
import { describeSecurityGroupRules } from './security-group-rules.ts'
import { getCallerIdentity } from './sts.ts'
import { createTags, deleteTags, describeTags } from './tags.ts'
import { describeVolumeAttribute, describeVolumeStatus } from './volume-status.ts'
import { deleteVolume, describeVolumes } from './volumes.ts'
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
