/** Settings of the account that clients read before anything else. None can be changed. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Action, ActionName } from '../action.ts'
import { readAction } from '../read.ts'
import { textSchema } from '../schemas.ts'

const nothing = z.strictObject({})

function always(name: ActionName, answer: object): Action {
  return readAction({ name, input: nothing, answer: () => answer })
}

/** GetEbsEncryptionByDefault: volumes are not encrypted. */
export const getEbsEncryptionByDefault = always('GetEbsEncryptionByDefault', {
  EbsEncryptionByDefault: false,
})

/** GetSerialConsoleAccessStatus: only the operator has access to consoles (`atoll console`). */
export const getSerialConsoleAccessStatus = always('GetSerialConsoleAccessStatus', {
  SerialConsoleAccessEnabled: false,
})

/** GetImageBlockPublicAccessState: every account may make its images public. */
export const getImageBlockPublicAccessState = always('GetImageBlockPublicAccessState', {
  ImageBlockPublicAccessState: 'unblocked',
})

/** GetSnapshotBlockPublicAccessState: there are no snapshots. */
export const getSnapshotBlockPublicAccessState = always('GetSnapshotBlockPublicAccessState', {
  State: 'block-all-sharing',
})

/** GetAllowedImagesSettings: an account may launch from each of its images. */
export const getAllowedImagesSettings = always('GetAllowedImagesSettings', {
  State: 'disabled',
  ImageCriteria: [],
})

/** DescribeSpotDatafeedSubscription: there is none, for which EC2 refuses the request. */
export const describeSpotDatafeedSubscription = readAction({
  name: 'DescribeSpotDatafeedSubscription',
  input: nothing,
  answer() {
    throw refused('InvalidSpotDatafeed.NotFound', 'Spot datafeed subscription does not exist.')
  },
})

/** The resource types here among those that once had shorter ids in EC2. */
const RESOURCES = [
  ...['dhcp-options', 'image', 'instance', 'internet-gateway', 'network-acl'],
  ...['network-acl-association', 'network-interface', 'network-interface-attachment'],
  ...['reservation', 'route-table', 'route-table-association', 'security-group', 'subnet'],
  ...['volume', 'vpc', 'vpc-cidr-block-association'],
]

/** DescribeIdFormat: all ids are of the longer form. */
export const describeIdFormat = readAction({
  name: 'DescribeIdFormat',
  input: z.strictObject({ Resource: textSchema.optional() }),
  answer({ Resource }) {
    const shown = RESOURCES.filter((one) => Resource === undefined || one === Resource)
    return { Statuses: shown.map((one) => ({ Resource: one, UseLongIds: true })) }
  },
})
