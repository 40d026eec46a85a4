/** An instance as a row, and a row as an instance. Pure. */
import { INSTANCE_OPTIONS } from '../../model/instance-options.ts'
import type { InstanceChange } from '../../model/lifecycle.ts'
import type { Instance } from '../../model/records.ts'
import {
  type CheckColumns,
  checkColumns,
  checkFrom,
  type RebootedColumn,
  rebootedColumn,
  rebootedFrom,
} from './check-columns.ts'
import type { Row } from './columns.ts'
import { optionsFromColumn, optionsToColumn } from './instance-options.ts'
import { instanceMetadata, type MetadataColumns, metadataColumns } from './metadata.ts'
import { type RecoveryColumns, recoveryColumns, recoveryFrom } from './recovery-columns.ts'

/** The columns of the table `instances`. */
export type InstanceRow = Omit<
  Row<Instance>,
  'stateReason' | 'metadata' | 'options' | 'recovery' | 'check' | 'rebooted'
> &
  MetadataColumns &
  RecoveryColumns &
  CheckColumns &
  RebootedColumn & {
    readonly options: string | null
    readonly stateReasonCode: string | null
    readonly stateReasonMessage: string | null
  }

/** An instance as its row. */
export function instanceToRow(instance: Instance): InstanceRow {
  const { stateReason, metadata, options = INSTANCE_OPTIONS, recovery, ...others } = instance
  const { check, rebooted, ...rest } = others
  return {
    ...rest,
    ...metadataColumns(metadata),
    options: optionsToColumn(options),
    ...recoveryColumns(recovery),
    ...checkColumns(check),
    ...rebootedColumn(rebooted),
    claimed: Number(instance.claimed),
    stateReasonCode: stateReason?.code ?? null,
    stateReasonMessage: stateReason?.message ?? null,
  }
}

/** An instance from its row. */
export function instanceFromRow(row: InstanceRow): Instance {
  const { stateReasonCode: code, stateReasonMessage: message, ...columns } = row
  const { metadataTokens, metadataEndpoint, metadataHopLimit, metadataTags, ...rest } = columns
  const stateReason = code === null ? null : { code, message: message ?? '' }
  const metadata = instanceMetadata({
    metadataTokens,
    metadataEndpoint,
    metadataHopLimit,
    metadataTags,
  })
  const { options: column, recoverWanted, recoverAcknowledged, run, assignment, ...others } = rest
  const { checkBoot, checkResult, checkSince, checkAnswered, checkRebootAt, ...more } = others
  const { rebooted: times, ...plain } = more
  const options = optionsFromColumn(column)
  const said = column === null || options === undefined ? {} : { options }
  const recovery = recoveryFrom({ recoverWanted, recoverAcknowledged, run, assignment })
  const check = checkFrom({ checkBoot, checkResult, checkSince, checkAnswered, checkRebootAt })
  const asked = { ...check, ...rebootedFrom(times) }
  const claimed = row.claimed !== 0
  return { ...plain, claimed, stateReason, metadata, ...said, ...recovery, ...asked }
}

/** The columns of the changed fields. */
export function changeToColumns(change: InstanceChange): Partial<InstanceRow> {
  const { stateReason, claimed, metadata, options, check, rebooted, ...plain } = change
  const rest = {
    ...plain,
    ...(metadata === undefined ? {} : metadataColumns(metadata)),
    ...(options === undefined ? {} : { options: optionsToColumn(options) }),
    ...(claimed === undefined ? {} : { claimed: Number(claimed) }),
    ...(check === undefined ? {} : checkColumns(check)),
    ...(rebooted === undefined ? {} : rebootedColumn(rebooted)),
  }
  if (stateReason === undefined) return rest
  return {
    ...rest,
    stateReasonCode: stateReason?.code ?? null,
    stateReasonMessage: stateReason?.message ?? null,
  }
}
