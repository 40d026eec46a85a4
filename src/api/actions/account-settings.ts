/**
 * Settings of the account that clients read before they do anything else. None can be changed: each says how it is for everybody.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Action } from '../action.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, textSchema } from '../schemas.ts'

const schema = z.strictObject(dryRunShape)

function always(name: string, answer: object): Action {
  return {
    name,
    async run(call) {
      parseInput(schema, call.input)
      dryRun(call)
      return answer
    },
  }
}

/** GetEbsEncryptionByDefault: volumes are not encrypted. */
export const getEbsEncryptionByDefault = always('GetEbsEncryptionByDefault', {
  EbsEncryptionByDefault: false,
})

/** GetSerialConsoleAccessStatus: consoles are the operator's (`atoll console`). */
export const getSerialConsoleAccessStatus = always('GetSerialConsoleAccessStatus', {
  SerialConsoleAccessEnabled: false,
})

/** GetImageBlockPublicAccessState: an image is its owner's only. */
export const getImageBlockPublicAccessState = always('GetImageBlockPublicAccessState', {
  ImageBlockPublicAccessState: 'block-new-sharing',
})

/** GetSnapshotBlockPublicAccessState: there are no snapshots that anybody could share. */
export const getSnapshotBlockPublicAccessState = always('GetSnapshotBlockPublicAccessState', {
  State: 'block-all-sharing',
})

/** GetAllowedImagesSettings: an account may launch from each of its images. */
export const getAllowedImagesSettings = always('GetAllowedImagesSettings', {
  State: 'disabled',
  ImageCriteria: [],
})

/** DescribeSpotDatafeedSubscription: there is none, which EC2 says by refusing. */
export const describeSpotDatafeedSubscription: Action = {
  name: 'DescribeSpotDatafeedSubscription',
  async run(call) {
    parseInput(schema, call.input)
    dryRun(call)
    throw refused('InvalidSpotDatafeed.NotFound', 'Spot datafeed subscription does not exist.')
  },
}

/** What has ids here, of those that EC2 once gave shorter ones. */
const RESOURCES = [
  ...['dhcp-options', 'image', 'instance', 'internet-gateway', 'network-acl'],
  ...['network-acl-association', 'network-interface', 'network-interface-attachment'],
  ...['reservation', 'route-table', 'route-table-association', 'security-group', 'subnet'],
  ...['volume', 'vpc', 'vpc-cidr-block-association'],
]

const formatSchema = z.strictObject({ Resource: textSchema.optional() })

/** DescribeIdFormat: all ids are of the longer form. */
export const describeIdFormat: Action = {
  name: 'DescribeIdFormat',
  async run(call) {
    const { Resource } = parseInput(formatSchema, call.input)
    const shown = RESOURCES.filter((one) => Resource === undefined || one === Resource)
    return { Statuses: shown.map((one) => ({ Resource: one, UseLongIds: true })) }
  },
}
