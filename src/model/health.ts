/** One condition of `/healthz`. The value of a failing one says what is wrong. */
export interface HealthCondition {
  readonly name: string
  readonly ok: boolean
  readonly value: string
}
