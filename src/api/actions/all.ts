/** Every action that the API answers. */
import type { Action } from '../action.ts'
import { createImage } from './create-image.ts'
import { deregisterImage, describeImages, registerImage } from './images.ts'
import { describeInstanceTypes } from './instance-types.ts'
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
import { describeSecurityGroups, describeSubnets, describeVpcs } from './networks.ts'
import { describeAccountAttributes, describeAvailabilityZones, describeRegions } from './places.ts'
import { getCallerIdentity } from './sts.ts'
import { createTags, deleteTags, describeTags } from './tags.ts'
import { deleteVolume, describeVolumes, modifyInstanceAttribute } from './volumes.ts'

/** In no particular order; each name once. */
export const allActions: readonly Action[] = [
  getCallerIdentity,
  describeRegions,
  describeAvailabilityZones,
  describeAccountAttributes,
  describeVpcs,
  describeSubnets,
  describeSecurityGroups,
  describeInstanceTypes,
  registerImage,
  createImage,
  describeImages,
  deregisterImage,
  createKeyPair,
  importKeyPair,
  describeKeyPairs,
  deleteKeyPair,
  runInstances,
  describeInstances,
  describeInstanceStatus,
  startInstances,
  stopInstances,
  rebootInstances,
  terminateInstances,
  getConsoleOutput,
  modifyInstanceAttribute,
  modifyInstanceMetadataOptions,
  getInstanceMetadataDefaults,
  modifyInstanceMetadataDefaults,
  describeVolumes,
  deleteVolume,
  createTags,
  deleteTags,
  describeTags,
]
