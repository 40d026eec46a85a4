/** The processor time of other processes. */
import { readFile } from 'node:fs/promises'
import { statFields } from '../../src/host/processes/stat.ts'

/** Ticks a second of /proc (sysconf(3), _SC_CLK_TCK): 100 on every architecture of Linux. */
const TICKS = 100

/** Seconds of a processor that a process has used, in its own code and in the kernel. */
export async function processorSeconds(pid: number | undefined): Promise<number> {
  // Fields 14 and 15 of proc_pid_stat(5).
  const fields = statFields(await readFile(`/proc/${pid}/stat`, 'utf8'))
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}
