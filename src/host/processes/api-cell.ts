/**
 * The isolation of a process of the API: mount and IPC namespaces of its own, in which most of the
 * host's state does not exist, and of root's rights only that of becoming another user. Pure.
 */

const PROGRAM = `${import.meta.dirname}/api-cell.sh`

/** The programs that start it. Of the `hidden` directories it has only the `shown` ones. */
export function apiCellCommand(
  hidden: readonly string[],
  shown: readonly string[],
): readonly string[] {
  const spaces = ['--mount', '--ipc', '--propagation', 'private']
  const words = [`${hidden.length}`, ...hidden, `${shown.length}`, ...shown]
  return ['unshare', ...spaces, 'bash', PROGRAM, ...words]
}
