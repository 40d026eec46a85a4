/** Joins actions with their wire names, once for all transports. */
import { bug } from '../../model/errors.ts'
import type { Action } from '../action.ts'
import { EC2_MODEL } from '../generated/ec2.ts'
import { IAM_MODEL } from '../generated/iam.ts'
import { STS_MODEL } from '../generated/sts.ts'
import { CLOUDTRAIL_MODEL } from './cloudtrail.ts'
import { linkModel, type WireAction } from './model.ts'

/** An action with its wire names. */
export interface Entry {
  readonly wire: WireAction
  readonly action: Action
}

/**
 * The actions by name. Throws a `bug` when one is not in the generated models, or is given twice.
 */
export function actionTable(actions: readonly Action[]): ReadonlyMap<string, Entry> {
  const models = [EC2_MODEL, IAM_MODEL, STS_MODEL, CLOUDTRAIL_MODEL]
  const wires = new Map(models.flatMap((model) => [...linkModel(model)]))
  const table = new Map<string, Entry>()
  for (const action of actions) {
    const wire = wires.get(action.name)
    if (wire === undefined) throw bug('no wire model for an action', { action: action.name })
    if (table.has(action.name)) throw bug('two actions with the same name', { action: action.name })
    table.set(action.name, { wire, action })
  }
  return table
}
