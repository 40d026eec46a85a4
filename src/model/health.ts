/** One condition of `/healthz`. If it fails, its value says why. */
export interface HealthCondition {
  readonly name: string
  readonly ok: boolean
  readonly value: string
}
