/** Who may launch from an image, besides its owner. Pure. */
import type { AccountId, ImageId } from './ids.ts'

/** The group that every account is in. */
export const EVERYBODY = 'all'

/**
 * One launch permission.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_LaunchPermission.html
 */
export interface ImagePermission {
  readonly image: ImageId
  readonly grantee: AccountId | typeof EVERYBODY
  /** The owner of the image. */
  readonly account: AccountId
}
