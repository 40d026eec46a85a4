/** One thing that `/healthz` looks at: a failing one says what is wrong by itself. */
export interface HealthCondition {
  readonly name: string
  readonly ok: boolean
  readonly value: string
}
