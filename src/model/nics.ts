/** What follows from the record of a NIC. Pure. */
import { type Ipv4, ipv4ToNumber } from './addr.ts'
import type { AttachmentId } from './ids.ts'
import type { Nic, NicAttachment } from './records.ts'

/** Its addresses, the primary one first. */
export function addressesOfNic({ ip, secondaryIps = [] }: Nic): readonly Ipv4[] {
  return [ip, ...secondaryIps]
}

/**
 * How it is attached; null if it is not. Older daemons named no attachments: each NIC was made with
 * its instance and goes with it, so the NIC's id can name that one.
 */
export function attachmentOf(nic: Nic): NicAttachment | null {
  if (nic.instance === null) return null
  return (
    nic.attachment ?? {
      id: `eni-attach-${nic.id.slice('eni-'.length)}` as AttachmentId,
      attachedAt: nic.createdAt,
      deleteOnTermination: true,
    }
  )
}

/** Addresses in ascending order. */
export function sortedAddresses(ips: readonly Ipv4[]): readonly Ipv4[] {
  return ips.toSorted((a, b) => ipv4ToNumber(a) - ipv4ToNumber(b))
}
