/** CreateFlowLogs. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import {
  AGGREGATION_SECONDS,
  type FlowLog,
  logDirectory,
  TRAFFIC_TYPES,
} from '../../model/flow-log.ts'
import { parseIamArn } from '../../model/iam-names.ts'
import { type AccountId, parseId, type VpcId } from '../../model/ids.ts'
import type { ReadTx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { changeAction } from '../change.ts'
import {
  destinationError,
  existingFlowLogs,
  parseDestination,
  parseFormat,
} from '../networks/flow-logs.ts'
import {
  clientTokenSchema,
  onlySchema,
  specifiedTags,
  tagSpecificationsSchema,
  textSchema,
  withCode,
} from '../schemas.ts'

/** EC2: 25 for this action. */
const RESOURCES_MAX = 25
const KINDS = { VPC: 'vpc', Subnet: 'subnet', NetworkInterface: 'eni' } as const

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html */
const schema = z.strictObject({
  ResourceIds: z.array(textSchema).min(1).max(RESOURCES_MAX),
  ResourceType: z.enum(['VPC', 'Subnet', 'NetworkInterface'], {
    error: 'ResourceType: use VPC, Subnet or NetworkInterface',
  }),
  TrafficType: z.enum(TRAFFIC_TYPES),
  LogDestinationType: textSchema.optional(),
  LogDestination: textSchema.optional(),
  LogGroupName: textSchema.optional(),
  LogFormat: z.string().max(512).optional(),
  MaxAggregationInterval: z
    .int()
    .refine((seconds) => AGGREGATION_SECONDS.some((one) => one === seconds), {
      error: 'Invalid Flow Log Max Aggregation Interval',
      ...withCode('InvalidParameter'),
    })
    .transform((seconds) => seconds as FlowLog['aggregationSeconds'])
    .default(600),
  /** Empty as if it were left out: some clients always name it. */
  DeliverLogsPermissionArn: z
    .string()
    .refine((arn) => arn === '' || parseIamArn('role', arn) !== undefined, {
      error: 'DeliverLogsPermissionArn: use arn:aws:iam::ACCOUNT:role/NAME',
    })
    .optional(),
  DeliverCrossAccountRole: onlySchema(
    '',
    'DeliverCrossAccountRole: hosts write flow logs themselves: leave it out',
  ),
  DestinationOptions: z
    .strictObject({
      FileFormat: onlySchema('plain-text', 'FileFormat: use plain-text'),
      HiveCompatiblePartitions: onlySchema(false, 'HiveCompatiblePartitions: use false'),
      PerHourPartition: onlySchema(false, 'PerHourPartition: use false'),
    })
    .optional(),
  ClientToken: clientTokenSchema,
  TagSpecifications: tagSpecificationsSchema(['vpc-flow-log']),
})

/** Makes a flow log for each resource. What cannot be is listed with the reason. */
export const createFlowLogs = changeAction({
  name: 'CreateFlowLogs',
  input: schema,
  prepare: (asked, { newId }) => ({
    asked,
    // A repetition of the request finds them by their ids.
    ids: new Map([...new Set(asked.ResourceIds)].map((resource) => [resource, newId('fl')])),
  }),
  once: ({ asked, ids }, { account, settings }) => ({
    token: asked.ClientToken ?? null,
    result: JSON.stringify([...ids]),
    repeat: (tx, result) => madeBefore(tx, account, asked, { result, settings }),
  }),
  async change(tx, { asked, ids }, { account, now, settings }) {
    const destination = parseDestination(asked)
    const denied = destinationError(destination, account, settings.flowLogBuckets)
    const fields = parseFormat(asked.LogFormat)
    await tx.takeTurn(account)
    const { existing, orphans } = await existingFlowLogs(tx, account)
    for (const orphan of orphans) await tx.deleteFlowLog(orphan)
    const limit = settings.quotas.flowLogs
    if (existing.length + asked.ResourceIds.length > limit)
      throw refused(
        'FlowLogsLimitExceeded',
        `The maximum number of flow logs has been reached: ${limit}`,
      )
    const vpcs = await vpcsOf(tx, account, asked.ResourceType)
    const made: FlowLog[] = []
    const unsuccessful: { ResourceId: string; Error: { Code: string; Message: string } }[] = []
    for (const [id, own] of ids) {
      const resource = parseId(KINDS[asked.ResourceType], id)
      const vpc = vpcs.get(id)
      if (resource === undefined || vpc === undefined) {
        unsuccessful.push({ ResourceId: id, Error: missing(asked.ResourceType, id) })
        continue
      }
      if (denied !== null) {
        unsuccessful.push({ ResourceId: id, Error: denied })
        continue
      }
      const log: FlowLog = {
        ...{ id: own, account, vpc, resource, destination, fields, createdAt: now },
        trafficType: asked.TrafficType,
        aggregationSeconds: asked.MaxAggregationInterval,
        role: asked.DeliverLogsPermissionArn || null,
      }
      if (existing.some((one) => isSame(one, log)) || (await tx.insertFlowLog(log)) === 'exists')
        throw refused(
          'FlowLogAlreadyExists',
          'Error. There is an existing Flow Log with the same configuration and log destination.',
        )
      const of = { account, resource: log.id, resourceType: 'vpc-flow-log' }
      await tx.putTags(specifiedTags(asked.TagSpecifications, of))
      made.push(log)
    }
    return { made, unsuccessful, token: asked.ClientToken }
  },
  view: ({ made, unsuccessful, token }) => ({
    ...(token === undefined ? {} : { ClientToken: token }),
    FlowLogIds: made.map(({ id }) => id),
    Unsuccessful: unsuccessful,
  }),
})

/** Whether both would write the same file: two names of a group lead to one directory. */
function isSame(one: FlowLog, other: FlowLog): boolean {
  return (
    one.resource === other.resource &&
    one.trafficType === other.trafficType &&
    one.destination.kind === 'files' &&
    other.destination.kind === 'files' &&
    logDirectory(one.destination.group) === logDirectory(other.destination.group)
  )
}

/** What the first request with the same token made, as far as it is still there. */
async function madeBefore(
  tx: ReadTx,
  account: AccountId,
  asked: z.output<typeof schema>,
  { result, settings }: { readonly result: string; readonly settings: ApiSettings },
) {
  const denied = destinationError(parseDestination(asked), account, settings.flowLogBuckets)
  const ids = z.array(z.tuple([z.string(), z.string()])).parse(JSON.parse(result))
  const known = new Map((await tx.flowLogs({ account })).map((log) => [log.id as string, log]))
  return {
    made: ids.flatMap(([, id]) => known.get(id) ?? []),
    unsuccessful: ids.flatMap(([resource, id]) =>
      known.has(id)
        ? []
        : [{ ResourceId: resource, Error: denied ?? missing(asked.ResourceType, resource) }],
    ),
    token: asked.ClientToken,
  }
}

/** The account's resources of a type, with their VPCs. */
async function vpcsOf(
  tx: Pick<ReadTx, 'vpcs' | 'subnets' | 'nics'>,
  account: AccountId,
  type: keyof typeof KINDS,
): Promise<ReadonlyMap<string, VpcId>> {
  if (type === 'VPC') return new Map((await tx.vpcs({ account })).map(({ id }) => [id, id]))
  const found = type === 'Subnet' ? await tx.subnets({ account }) : await tx.nics({ account })
  return new Map(found.map(({ id, vpc }) => [id, vpc]))
}

function missing(type: keyof typeof KINDS, id: string): { Code: string; Message: string } {
  const [code, name] = {
    VPC: ['InvalidVpcID.NotFound', 'vpc ID'],
    Subnet: ['InvalidSubnetID.NotFound', 'subnet ID'],
    NetworkInterface: ['InvalidNetworkInterfaceID.NotFound', 'networkInterface ID'],
  }[type] as [string, string]
  return { Code: code, Message: `The ${name} '${id}' does not exist` }
}
