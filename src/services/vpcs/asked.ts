/** What a pass asks for in the namespaces of VPCs, and what it says when that fails. */
import { messageOf, unavailable } from '../../model/errors.ts'

/** Why a namespace is worked at. */
export type Reason = 'change' | 'repair' | 'look'

/** The work that a pass has asked for, by how long it waits for it. */
export class Asked {
  readonly changes: Promise<void>[] = []
  readonly looks: Promise<void>[] = []

  add(why: Reason, work: Promise<void> | null): void {
    if (work !== null) (why === 'change' ? this.changes : this.looks).push(work)
  }
}

/** Errors: `unavailable` for what has failed, by the number of its VPC, if anything has. */
export function throwAll(failed: ReadonlyMap<number, unknown>, what: string): void {
  const [first] = failed.values()
  if (first === undefined) return
  const all = new AggregateError(failed.values())
  throw unavailable(`${failed.size} ${what}: ${messageOf(first)}`, all)
}
