/** The steps of an explanation, and what follows from them. Pure. */
import type { SecurityGroupRuleId } from '../model/ids.ts'

/** The checks, in the order in which a packet passes them. */
export type StepName =
  | 'source'
  | 'egress'
  | 'acl'
  | 'route'
  | 'ingress'
  | 'destination'
  | 'answer'
  | 'name'

/** One check. */
export interface Step {
  readonly step: StepName
  readonly passes: boolean
  /** A sentence. */
  readonly text: string
  /** The rule of a security group that decides; null when another thing does, or a missing rule. */
  readonly rule: SecurityGroupRuleId | null
}

/** The answer. The first step that does not pass decides. */
export interface Explanation {
  readonly passes: boolean
  /** The answer in one sentence. */
  readonly text: string
  readonly steps: readonly Step[]
}

/** A step without a rule. */
export function step(name: StepName, passes: boolean, text: string): Step {
  return { step: name, passes, text, rule: null }
}

/** The result of these steps. */
export function conclude(subject: string, steps: readonly Step[]): Explanation {
  const stopped = steps.find(({ passes }) => !passes)
  const text = stopped === undefined ? `${subject}: yes.` : `${subject}: no. ${stopped.text}`
  return { passes: stopped === undefined, text, steps }
}
