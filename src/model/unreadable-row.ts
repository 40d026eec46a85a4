/** Rows of the records that are left out. Pure. */
import type { Ipv4 } from './addr.ts'
import type { HostName, InstanceId, VpcId } from './ids.ts'

/**
 * A row that was left out because it is unreadable or contradicts others. It still exists: nothing
 * may be removed, handed out or created because a list lacks it.
 */
export interface UnreadableRow {
  /** The table, or what was selected from several (`placedNics`, `peers`). */
  readonly table: string
  /** Its key, in printable form. */
  readonly key: string
  /** The first invalid column, and why. */
  readonly problem: string
  /** The instance that the row belongs to, if that is readable. */
  readonly instance: InstanceId | null
  readonly host: HostName | null
  readonly ip: Ipv4 | null
  readonly vpc: VpcId | null
}
