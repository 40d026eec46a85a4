/**
 * Flow logs: what is recorded of the traffic of network interfaces, and where it goes. Pure.
 *
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
import {
  type AccountId,
  FIRST_ACCOUNT,
  type FlowLogId,
  type NicId,
  type SubnetId,
  type VpcId,
} from './ids.ts'

/** Which traffic is recorded. */
export const TRAFFIC_TYPES = ['ACCEPT', 'REJECT', 'ALL'] as const
type TrafficType = (typeof TRAFFIC_TYPES)[number]
/** Seconds that one record may cover. */
export const AGGREGATION_SECONDS = [60, 600] as const
type AggregationSeconds = (typeof AGGREGATION_SECONDS)[number]

/** The fields of version 2, in the order of EC2's default format. */
export const DEFAULT_FIELDS = [
  'version',
  'account-id',
  'interface-id',
  'srcaddr',
  'dstaddr',
  'srcport',
  'dstport',
  'protocol',
  'packets',
  'bytes',
  'start',
  'end',
  'action',
  'log-status',
] as const
/** Fields of later versions that are known here. */
export const MORE_FIELDS = ['vpc-id', 'subnet-id', 'instance-id', 'flow-direction'] as const
export type FlowLogField = (typeof DEFAULT_FIELDS)[number] | (typeof MORE_FIELDS)[number]

/** EC2's notation of a format. */
export function formatOf(fields: readonly FlowLogField[]): string {
  return fields.map((field) => `\${${field}}`).join(' ')
}

/** The fields of a format; undefined when one is unknown here, or none is there. */
export function fieldsOf(format: string): readonly FlowLogField[] | undefined {
  const known: readonly string[] = [...DEFAULT_FIELDS, ...MORE_FIELDS]
  const names = format.split(' ').map((word) => /^\$\{([a-z-]+)\}$/.exec(word)?.[1] ?? '')
  return names.every((name) => known.includes(name))
    ? (names as readonly string[] as readonly FlowLogField[])
    : undefined
}

/** Where records go. */
export type FlowLogDestination =
  /** To files of each host, in the directory of this name. */
  | { readonly kind: 'files'; readonly group: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }

/** A flow log. */
export interface FlowLog {
  readonly id: FlowLogId
  readonly account: AccountId
  readonly vpc: VpcId
  /** The VPC, or a subnet or a network interface in it. */
  readonly resource: VpcId | SubnetId | NicId
  readonly trafficType: TrafficType
  readonly destination: FlowLogDestination
  readonly fields: readonly FlowLogField[]
  readonly aggregationSeconds: AggregationSeconds
  /**
   * The ARN of the role that EC2 would deliver records with. Hosts write them themselves, so it is
   * shown and nothing else. Null: none was named.
   */
  readonly role: string | null
  /** ISO 8601. */
  readonly createdAt: string
}

/** What the host of a network interface has to know of a flow log. */
export type FlowLogWant = Pick<
  FlowLog,
  'id' | 'trafficType' | 'destination' | 'fields' | 'aggregationSeconds'
>

/** Whether it names a log group (CloudWatch Logs, `CreateLogGroup`). Each part is a directory. */
export function isLogGroup(name: string): boolean {
  return (
    /^[\w./#-]{1,200}$/.test(name) &&
    name.split('/').every((part, at) => (part === '' ? at === 0 : !/^\.+$/.test(part)))
  )
}

/** The directory of a log group, below the account's: a name may begin with a slash. */
export function logDirectory(group: string): string {
  return group.replace(/^\//, '')
}

/** Whether it names a bucket (Amazon S3 user guide, "Bucket naming rules"). */
export function isBucket(name: string): boolean {
  return /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)
}

/** Whether keys of objects may begin with it: names with slashes between them, or nothing. */
export function isKeyPrefix(prefix: string): boolean {
  const parts = prefix.split('/')
  const isPart = (part: string) => /^[\w!.*'()-]+$/.test(part) && !/^\.+$/.test(part)
  return prefix === '' || (prefix.length <= 200 && parts.every(isPart))
}

/** EC2's ARN of a bucket with a folder. */
export function s3Arn({ bucket, prefix }: { readonly bucket: string; readonly prefix: string }) {
  return `arn:aws:s3:::${bucket}${prefix === '' ? '' : `/${prefix}`}`
}

/** The bucket and folder of such an ARN; undefined when it is none. */
export function parseS3Arn(
  arn: string,
): Extract<FlowLogDestination, { readonly kind: 's3' }> | undefined {
  const [, bucket = '', rest = ''] = /^arn:aws:s3:::([^/]+)(?:\/(.*))?$/.exec(arn) ?? []
  const prefix = rest.replace(/\/+$/, '')
  return isBucket(bucket) && isKeyPrefix(prefix) ? { kind: 's3', bucket, prefix } : undefined
}

/** A bucket, or a folder in one, that flow logs may go to (the setting `flowLogs.buckets`). */
export interface PermittedBucket {
  readonly bucket: string
  /** Empty: the whole bucket. */
  readonly prefix: string
  /** Whose; null: those of all accounts. */
  readonly accounts: readonly AccountId[] | null
}

/**
 * Whether flow logs of an account may go there; `prefix` is a folder, or the key of an object. All
 * hosts write with one key of the object store, which knows nothing of accounts. So without
 * `permitted` (null) only the operator's account may, and everywhere.
 */
export function isPermitted(
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  account: AccountId,
  permitted: readonly PermittedBucket[] | null,
): boolean {
  if (permitted === null) return account === FIRST_ACCOUNT
  return permitted.some(
    (one) =>
      one.bucket === bucket &&
      (one.prefix === '' || `${prefix}/`.startsWith(`${one.prefix}/`)) &&
      one.accounts?.includes(account) !== false,
  )
}

/** What was seen of one flow, in one direction, at one network interface. */
export interface FlowRecord {
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  /** IANA's number. */
  readonly protocol: number
  readonly packets: number
  readonly bytes: number
  readonly action: 'ACCEPT' | 'REJECT'
  /** Relative to the interface. */
  readonly direction: 'ingress' | 'egress'
  /** Seconds since the epoch. */
  readonly start: number
  readonly end: number
}

/** Whose a record is. */
export interface FlowRecordOwner {
  readonly account: AccountId
  readonly nic: NicId
  readonly vpc: VpcId
  readonly subnet: SubnetId
  readonly instance: string
}

/** An interval in which nothing was seen, or in which not all could be recorded. */
export interface FlowGap {
  readonly status: 'NODATA' | 'SKIPDATA'
  readonly start: number
  readonly end: number
}

/** The line of a record; what it does not have is `-`. */
export function recordLine(
  fields: readonly FlowLogField[],
  owner: FlowRecordOwner,
  record: FlowRecord | FlowGap,
): string {
  const values: Partial<Record<FlowLogField, string | number>> = {
    version: 2,
    'account-id': owner.account,
    'interface-id': owner.nic,
    'vpc-id': owner.vpc,
    'subnet-id': owner.subnet,
    'instance-id': owner.instance,
    start: record.start,
    end: record.end,
    ...('status' in record
      ? { 'log-status': record.status }
      : {
          srcaddr: record.source,
          dstaddr: record.destination,
          srcport: record.sourcePort,
          dstport: record.destinationPort,
          protocol: record.protocol,
          packets: record.packets,
          bytes: record.bytes,
          action: record.action,
          'flow-direction': record.direction,
          'log-status': 'OK',
        }),
  }
  return fields.map((field) => values[field] ?? '-').join(' ')
}
