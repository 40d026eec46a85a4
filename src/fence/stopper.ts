/** Ends what this host may not run, by control group and user. */
import { loadGuardedProcesses } from '../host/processes/guarded.ts'
import type { Stopper } from './keeper.ts'

/** Of the processes that /proc shows. */
export function loadStopper(): Stopper {
  const processes = loadGuardedProcesses()
  return {
    kill: (guarded) =>
      processes.kill({
        containers: new Set(guarded.flatMap(({ containers }) => containers)),
        users: new Set(guarded.flatMap(({ user }) => user ?? [])),
      }),
  }
}
