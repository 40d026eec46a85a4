/** What the kernel says of a process in one line. Pure. */

/**
 * The fields of `/proc/PID/stat` from the third on, which is the state (proc_pid_stat(5)). They
 * follow the program's name, which may contain any character.
 */
export function statFields(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
