/** The processes of a daemon: the agent, and the parts that it starts. */
import { readdir, readFile } from 'node:fs/promises'
import { statFields } from '../../src/host/processes/stat.ts'

/** Ticks a second of /proc (sysconf(3), _SC_CLK_TCK): 100 on every architecture of Linux. */
const TICKS = 100

interface DaemonProcess {
  readonly pid: number
  readonly part: string
}

/**
 * Those that were started with this configuration file. `proc` is another machine's /proc, whose
 * process ids are then meant.
 */
export async function daemonProcesses(
  configFile: string,
  proc = '/proc',
): Promise<readonly DaemonProcess[]> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid): Promise<readonly DaemonProcess[]> => {
      const words = (await readFile(`${proc}/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
      // Other commands have the option, too.
      if (!words.includes(configFile) || !words.some((word) => PROGRAM.test(word))) return []
      const at = words.indexOf('--part')
      return [{ pid: Number(pid), part: at < 0 ? 'agent' : (words[at + 1] ?? '') }]
    }),
  )
  return found.flat()
}

/** As built, and as sources. */
const PROGRAM = /\/(?:atolld\.cjs|src\/main\.ts)$/

/** Seconds of a processor that a process has used, in its own code and in the kernel. */
export async function processorSeconds(pid: number | undefined, proc = '/proc'): Promise<number> {
  // Fields 14 and 15 of proc_pid_stat(5).
  const fields = statFields(await readFile(`${proc}/${pid}/stat`, 'utf8'))
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}
