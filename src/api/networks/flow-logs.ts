/** What the actions about flow logs have in common. */
import { refused } from '../../model/errors.ts'
import {
  DEFAULT_FIELDS,
  type FlowLog,
  fieldsOf,
  isLogGroup,
  isPermitted,
  MORE_FIELDS,
  type PermittedBucket,
  parseS3Arn,
} from '../../model/flow-log.ts'
import type { AccountId } from '../../model/ids.ts'
import type { ReadTx } from '../../store/store.ts'
import { notFound } from '../schemas.ts'

/** EC2's words for destinations, with what they mean here. */
const DESTINATION_TYPES = { files: 'cloud-watch-logs', s3: 's3' } as const

/** The refusal of ids that no flow log has. */
export function missingFlowLogs(ids: readonly string[]): Error {
  return notFound('InvalidFlowLogId.NotFound', 'flow log ID', ids)
}

/** An account's flow logs whose VPC, subnet or network interface is still there. */
export async function existingFlowLogs(
  tx: Pick<ReadTx, 'flowLogs' | 'vpcs' | 'subnets' | 'nics'>,
  account: AccountId,
): Promise<{ readonly existing: readonly FlowLog[]; readonly orphans: readonly FlowLog[] }> {
  const all = await tx.flowLogs({ account })
  if (all.length === 0) return { existing: [], orphans: [] }
  const there = new Set<string>([
    ...(await tx.vpcs({ account })).map(({ id }) => id),
    ...(await tx.subnets({ account })).map(({ id }) => id),
    ...(await tx.nics({ account })).map(({ id }) => id),
  ])
  return {
    existing: all.filter(({ resource }) => there.has(resource)),
    orphans: all.filter(({ resource }) => !there.has(resource)),
  }
}

/** The fields of `LogFormat`; EC2's default when it is left out. */
export function parseFormat(format: string | undefined): FlowLog['fields'] {
  if (format === undefined) return DEFAULT_FIELDS
  const fields = fieldsOf(format)
  if (fields !== undefined) return fields
  throw refused(
    'InvalidParameterValue',
    `LogFormat: use these fields, each as \${field}, with spaces between them: ${[...DEFAULT_FIELDS, ...MORE_FIELDS].join(', ')}`,
  )
}

/** Why a flow log may not have this destination, as EC2 lists it; null if it may. */
export function destinationError(
  destination: FlowLog['destination'],
  account: AccountId,
  permitted: readonly PermittedBucket[] | null,
): { readonly Code: string; readonly Message: string } | null {
  if (destination.kind !== 's3' || isPermitted(destination, account, permitted)) return null
  return {
    Code: '400',
    Message: `Access Denied for LogDestination: ${destination.bucket}. The operator permits buckets by the setting flowLogs.buckets`,
  }
}

/** Where `LogDestinationType`, `LogDestination` and `LogGroupName` say that records go. */
export function parseDestination(asked: {
  readonly LogDestinationType?: string | undefined
  readonly LogDestination?: string | undefined
  readonly LogGroupName?: string | undefined
}): FlowLog['destination'] {
  const { LogDestinationType: type, LogDestination: to, LogGroupName: group } = asked
  if (type !== undefined && type !== 's3' && type !== DESTINATION_TYPES.files)
    throw refused(
      'UnsupportedOperation',
      'LogDestinationType: use s3, or cloud-watch-logs, which means files on each host',
    )
  refuseUnclear(asked)
  if (type === 's3') {
    const parsed = parseS3Arn(to ?? '')
    if (parsed !== undefined) return parsed
    throw refused(
      'InvalidParameterValue',
      'LogDestination: use arn:aws:s3:::BUCKET or arn:aws:s3:::BUCKET/FOLDER',
    )
  }
  const [, ofArn] = /^arn:aws:logs:[^:]*:[^:]*:log-group:([^:]+)(?::\*)?$/.exec(to ?? '') ?? []
  const name = group ?? ofArn
  if (name === undefined || !isLogGroup(name))
    throw refused(
      'InvalidParameterValue',
      'LogGroupName: give the name of a log group, which is a directory on each host: letters, digits and / . _ - #',
    )
  return { kind: 'files', group: name }
}

/** Refuses, in EC2's words, what names no destination, or two. */
function refuseUnclear({
  LogDestinationType: type,
  LogDestination: to,
  LogGroupName: group,
}: Parameters<typeof parseDestination>[0]): void {
  const refuse = (message: string) => refused('InvalidParameter', message)
  if (group !== undefined && to !== undefined)
    throw refuse('Please only provide LogGroupName or only provide LogDestination.')
  if (group !== undefined && type !== undefined && type !== DESTINATION_TYPES.files)
    throw refuse('LogDestination type must be cloud-watch-logs if LogGroupName is provided.')
  if (group === undefined && to === undefined)
    throw refuse("LogDestination can't be empty if LogGroupName is not provided.")
}
