/** What the doctor says of one prerequisite. Pure. */

/** One prerequisite. `mend` is null when there is nothing to do. */
export interface DoctorCheck {
  readonly name: string
  readonly result: 'ok' | 'warn' | 'fail'
  readonly found: string
  readonly mend: string | null
}

export type Verdict = Omit<DoctorCheck, 'name'>

/** All is well with what was found. */
export const ok = (found: string): Verdict => ({ result: 'ok', found, mend: null })
/** It works, but not as it should; `mend` says what to do. */
export const warn = (found: string, mend: string): Verdict => ({ result: 'warn', found, mend })
/** It cannot work. */
export const fail = (found: string, mend: string): Verdict => ({ result: 'fail', found, mend })
