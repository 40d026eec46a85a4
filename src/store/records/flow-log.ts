/** Flow logs. They concern whoever has members of their VPC. */
import { z } from 'zod'
import {
  AGGREGATION_SECONDS,
  type FlowLog,
  type FlowLogDestination,
  fieldsOf,
  formatOf,
  isBucket,
  isKeyPrefix,
  isLogGroup,
  TRAFFIC_TYPES,
} from '../../model/flow-log.ts'
import type { AccountId, VpcId } from '../../model/ids.ts'
import { ofVpc } from '../scope.ts'
import { account, id, time } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'

interface FlowLogRow
  extends Pick<
    FlowLog,
    | 'id'
    | 'account'
    | 'vpc'
    | 'resource'
    | 'trafficType'
    | 'aggregationSeconds'
    | 'createdAt'
    | 'role'
  > {
  readonly destinationKind: FlowLogDestination['kind']
  /** The name of a directory or of a bucket. */
  readonly destination: string
  readonly prefix: string
  readonly format: string
}

const tables = {
  flowLogs: table<FlowLogRow>({
    name: 'flowLogs',
    schema: z
      .object({
        id: id('fl'),
        account,
        vpc: id('vpc'),
        resource: z.union([id('vpc'), id('subnet'), id('eni')]),
        trafficType: z.enum(TRAFFIC_TYPES),
        destinationKind: z.enum(['files', 's3']),
        destination: z.string(),
        prefix: z.string().refine(isKeyPrefix, 'is malformed'),
        format: z.string().refine((text) => fieldsOf(text) !== undefined, 'is malformed'),
        aggregationSeconds: z.union(AGGREGATION_SECONDS.map((one) => z.literal(one))),
        createdAt: time,
        role: z.string().nullable(),
      })
      .refine(
        ({ destinationKind, destination }) =>
          destinationKind === 's3' ? isBucket(destination) : isLogGroup(destination),
        { error: 'is malformed', path: ['destination'] },
      ),
  }),
}
type Tables = RowsOf<typeof tables>

/** The noun. */
export const flowLogs = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** Of an account, or of all. */
    async flowLogs({ account }: { readonly account?: AccountId }): Promise<readonly FlowLog[]> {
      const query = db.selectFrom('flowLogs').selectAll().orderBy('id')
      const found = account === undefined ? query : query.where('account', '=', account)
      return rows.parse(tables.flowLogs, await found.execute()).map(fromRow)
    },
    /** Of these VPCs and what is in them. */
    async flowLogsIn(vpcs: readonly VpcId[]): Promise<readonly FlowLog[]> {
      const query = db.selectFrom('flowLogs').selectAll().orderBy('id')
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows.parse(tables.flowLogs, found).map(fromRow)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when the resource has one for the same traffic with the same destination. */
    insertFlowLog: (log: FlowLog) => insertOr('exists', db, 'flowLogs', toRow(log)),
    async deleteFlowLog({ id }: Pick<FlowLog, 'id' | 'vpc'>): Promise<void> {
      await db.deleteFrom('flowLogs').where('id', '=', id).execute()
    },
  }),
  touches: {
    insertFlowLog: (_session, log) => [ofVpc(log.vpc)],
    deleteFlowLog: (_session, { vpc }) => [ofVpc(vpc)],
  },
  inCopy: { insertFlowLog: always, deleteFlowLog: always },
})

function toRow(log: FlowLog): FlowLogRow {
  const { destination, fields, ...rest } = log
  return {
    ...rest,
    format: formatOf(fields),
    ...(destination.kind === 's3'
      ? { destinationKind: 's3', destination: destination.bucket, prefix: destination.prefix }
      : { destinationKind: 'files', destination: destination.group, prefix: '' }),
  }
}

function fromRow({ destinationKind, destination, prefix, format, ...rest }: FlowLogRow): FlowLog {
  return {
    ...rest,
    fields: fieldsOf(format) ?? [],
    destination:
      destinationKind === 's3'
        ? { kind: 's3', bucket: destination, prefix }
        : { kind: 'files', group: destination },
  }
}
