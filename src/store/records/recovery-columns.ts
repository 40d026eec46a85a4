/** Columns of an instance that say who may run it, and whether others may start it again. Pure. */
import { z } from 'zod'
import { KEEP, type Recovery } from '../../model/recovery.ts'
import { count, label } from './columns.ts'

/** The columns. An older daemon leaves them empty: `keep`. */
export interface RecoveryColumns {
  readonly recoverWanted?: 'recover' | null | undefined
  readonly recoverAcknowledged?: 'recover' | null | undefined
  readonly run?: number | null | undefined
  readonly assignment?: string | null | undefined
}

const recovering = z.literal('recover').nullable().optional()

/** How they are parsed. */
export const recoverySchema = {
  recoverWanted: recovering,
  recoverAcknowledged: recovering,
  run: count.nullable().optional(),
  assignment: label.nullable().optional(),
}

/** As columns. */
export function recoveryColumns(recovery: Recovery = KEEP): RecoveryColumns {
  const { wanted, acknowledged, run, assignment } = recovery
  return {
    recoverWanted: wanted === 'recover' ? wanted : null,
    recoverAcknowledged: acknowledged === 'recover' ? acknowledged : null,
    run,
    assignment,
  }
}

/** From columns. Absent where it is as if nobody had ever asked for anything. */
export function recoveryFrom(columns: RecoveryColumns): { readonly recovery?: Recovery } {
  const { recoverWanted, recoverAcknowledged, run, assignment } = columns
  if (!recoverWanted && !recoverAcknowledged && !run && !assignment) return {}
  return {
    recovery: {
      wanted: recoverWanted ?? 'keep',
      acknowledged: recoverAcknowledged ?? 'keep',
      run: run ?? 0,
      assignment: assignment ?? null,
    },
  }
}
