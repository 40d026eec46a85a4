/** NICs of running instances that come and go. */
import type { AttachmentId, InstanceId, NicId } from './ids.ts'

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

/** What a host found out about an attachment. */
export type NicFact =
  /** The instance has the NIC. */
  | {
      readonly kind: 'attached'
      readonly nic: NicId
      readonly attachment: AttachmentId
      readonly to: InstanceId
    }
  /** Nothing is left of the attachment on the host, so the NIC may be attached elsewhere. */
  | {
      readonly kind: 'detached'
      readonly nic: NicId
      readonly attachment: AttachmentId
      readonly from: InstanceId
    }
