/** Tags that only Atoll sets. They tell a client how its instance is isolated. Pure. */
import { isLeverTag } from './lever.ts'
import { isRecoveryTag } from './recovery.ts'
import { isStorageTag } from './storage.ts'

/** The prefix of reserved keys, beside EC2's own. */
export const RESERVED_TAG_PREFIX = 'atoll:'

/**
 * The prefix of keys that EC2 sets by itself, as Atoll does in its place. Tools that describe what
 * tags there should be (Terraform, Ansible) leave these alone, and would remove all others.
 */
const EC2_TAG_PREFIX = 'aws:'

/**
 * `user-namespace`: a container whose root is an unprivileged user of the host. `shared-root`: a
 * container whose root is the host's root with fewer privileges. `machine`: a virtual machine whose
 * process has its own namespaces. `machine-in-host`: a virtual machine that an older version
 * started, whose process sees the host's links and files.
 */
export type Isolation = 'user-namespace' | 'shared-root' | 'machine' | 'machine-in-host'

/**
 * `own`: the instance has its own disk of fixed size. `quota`: the file system limits its size.
 * `watched`: the host checks how much it has written, and stops it above its limit.
 */
export type DiskBound = 'own' | 'quota' | 'watched'

/** A reserved tag. */
export interface ReservedTag {
  readonly key: string
  readonly value: string
}

/** The tags of an instance with this isolation. */
export function reservedTags(isolation: Isolation, disk: DiskBound): readonly ReservedTag[] {
  return [
    { key: `${EC2_TAG_PREFIX}${RESERVED_TAG_PREFIX}isolation`, value: isolation },
    { key: `${EC2_TAG_PREFIX}${RESERVED_TAG_PREFIX}disk`, value: disk },
  ]
}

/** The key that older versions gave to a tag of `reservedTags`. */
export function formerKey(key: string): string {
  return key.slice(EC2_TAG_PREFIX.length)
}

/**
 * Whether only Atoll may set tags with this key. They do not count among a resource's tags. Those
 * of levers (`lever.ts`), recovery (`recovery.ts`) and storage (`storage.ts`) are the client's.
 */
export function isReservedKey(key: string): boolean {
  if (isLeverTag(key) || isRecoveryTag(key) || isStorageTag(key)) return false
  const lower = key.toLowerCase()
  return lower.startsWith(RESERVED_TAG_PREFIX) || lower.startsWith(EC2_TAG_PREFIX)
}

/**
 * The tags of an instance that was launched from a template.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/launch-instances-from-launch-template.html
 */
export function launchTemplateTags(template: string, version: number): readonly ReservedTag[] {
  return [
    { key: 'aws:ec2launchtemplate:id', value: template },
    { key: 'aws:ec2launchtemplate:version', value: String(version) },
  ]
}
