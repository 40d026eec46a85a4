/** NICs of running instances that come and go. */
import type { AttachmentId, NicId } from './ids.ts'

/** A NIC that was attached while its instance ran. */
export interface NicAttaching {
  readonly id: NicId
  readonly attachment: AttachmentId
}

/** A NIC that is to be taken off its instance. Nothing passes it any more. */
export interface DetachingNic {
  readonly id: NicId
  readonly attachment: AttachmentId
  /** As of its VPC. */
  readonly network?: number | undefined
}
