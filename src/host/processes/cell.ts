/**
 * The isolation of a virtual machine's process: its own network, IPC, UTS and mount namespaces, its
 * own root with /usr and the few devices that it needs, limits, and no privileges. Pure.
 *
 * Its network is empty: taps and sockets are inherited descriptors. In its /proc it sees only its
 * own processes (hidepid, proc(5)). It has no PID namespace, because the process that creates one
 * would have to stay: one more for each machine. The program `cell.sh` sets it up.
 */
import { SHARED_PLACE, type SharedDiskFile } from '../files/shared-directory.ts'
import { QEMU } from '../kvm/kvm.ts'

const PROGRAM = `${import.meta.dirname}/cell.sh`
/** Its disks, sockets and taps need about twenty. */
const DESCRIPTORS = 256
/** Threads of its processors, and threads that wait for disks, of which QEMU starts up to 64. */
const THREADS = 512

/**
 * The command that starts the process as this user. It does nothing before it reads a line from
 * stdin. Its process id stays the same. `disk`: what it opens first, as its descriptor 3: whoever
 * opens that may stand still, and this process can be killed by its control group.
 */
export function cellCommand(
  user: number,
  group: number,
  args: readonly string[],
  disk: SharedDiskFile | null,
): { readonly program: string; readonly args: readonly string[] } {
  const spaces = ['--net', '--ipc', '--uts', '--mount', '--propagation', 'private']
  const words = [user, group, DESCRIPTORS, THREADS].map(String)
  const place = disk === null ? [''] : [SHARED_PLACE, disk.directory, disk.marker, disk.volume]
  const own = ['bash', PROGRAM, ...words, ...place]
  return { program: 'unshare', args: [...spaces, ...own, QEMU, ...args] }
}
