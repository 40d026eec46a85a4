/** The result of one check of `atoll doctor`. Pure. */

/** One prerequisite. `fix` says what to do; null: nothing. */
export interface DoctorCheck {
  readonly name: string
  readonly result: 'ok' | 'warn' | 'fail'
  readonly found: string
  readonly fix: string | null
}

export type CheckResult = Omit<DoctorCheck, 'name'>

/** It works. `found` says what was found. */
export const ok = (found: string): CheckResult => ({ result: 'ok', found, fix: null })
/** It works, but not as it should; `fix` says what to do. */
export const warn = (found: string, fix: string): CheckResult => ({ result: 'warn', found, fix })
/** It cannot work. */
export const fail = (found: string, fix: string): CheckResult => ({ result: 'fail', found, fix })
